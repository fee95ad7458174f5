"""Losses as modules, by PyTorch's names, arguments and defaults."""

from __future__ import annotations

from lazygrad.nn import functional
from lazygrad.nn.applied import Applied

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


class L1Loss(Applied, of=functional.l1_loss, without=("weight",)):
    """`functional.l1_loss`.

    >>> nn.L1Loss()(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    tensor(1.)
    """


class MSELoss(Applied, of=functional.mse_loss, without=("weight",)):
    """`functional.mse_loss`.

    >>> nn.MSELoss()(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    tensor(2.)
    """


class HuberLoss(Applied, of=functional.huber_loss, without=("weight",)):
    """`functional.huber_loss`.

    >>> nn.HuberLoss()(Tensor([0.0, 0.0]), Tensor([1.0, 3.0]))
    tensor(1.5000)
    """


class SmoothL1Loss(Applied, of=functional.smooth_l1_loss):
    """`functional.smooth_l1_loss`.

    >>> nn.SmoothL1Loss()(Tensor([0.0, 0.0]), Tensor([1.0, 3.0]))
    tensor(1.5000)
    """


class CrossEntropyLoss(
    Applied,
    of=functional.cross_entropy,
    order=("weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing"),
):
    """`functional.cross_entropy`.

    >>> nn.CrossEntropyLoss()(Tensor([[0.0, 0.0]]), Tensor([1]))
    tensor(0.6931)
    """


class NLLLoss(Applied, of=functional.nll_loss, without=("dim",)):
    """`functional.nll_loss`.

    >>> nn.NLLLoss()(Tensor([[-0.5, -1.0]]), Tensor([1]))
    tensor(1.)
    """


class BCELoss(Applied, of=functional.binary_cross_entropy):
    """`functional.binary_cross_entropy`.

    >>> nn.BCELoss()(Tensor([0.5]), Tensor([1.0]))
    tensor(0.6931)
    """


class BCEWithLogitsLoss(Applied, of=functional.binary_cross_entropy_with_logits):
    """`functional.binary_cross_entropy_with_logits`.

    >>> nn.BCEWithLogitsLoss()(Tensor([0.0]), Tensor([1.0]))
    tensor(0.6931)
    """


class KLDivLoss(Applied, of=functional.kl_div):
    """`functional.kl_div`.

    >>> nn.KLDivLoss(reduction="sum")(Tensor([0.0, 0.0]), Tensor([1.0, 0.5]))
    tensor(-0.3466)
    """


class PoissonNLLLoss(Applied, of=functional.poisson_nll_loss):
    """`functional.poisson_nll_loss`.

    >>> nn.PoissonNLLLoss()(Tensor([0.0]), Tensor([1.0]))
    tensor(1.)
    """


class GaussianNLLLoss(Applied, of=functional.gaussian_nll_loss):
    """`functional.gaussian_nll_loss`.

    >>> nn.GaussianNLLLoss()(Tensor([0.0]), Tensor([2.0]), Tensor([1.0]))
    tensor(2.)
    """


class CTCLoss(Applied, of=functional.ctc_loss):
    """`functional.ctc_loss`.

    >>> nn.CTCLoss()(Tensor.zeros(2, 1, 2), Tensor([[1]]), [2], [1])
    tensor(-1.0986)
    """


class CosineEmbeddingLoss(Applied, of=functional.cosine_embedding_loss):
    """`functional.cosine_embedding_loss`.

    >>> nn.CosineEmbeddingLoss()(Tensor([3.0, 4.0]), Tensor([4.0, -3.0]), Tensor(1))
    tensor(1.)
    """


class MarginRankingLoss(Applied, of=functional.margin_ranking_loss):
    """`functional.margin_ranking_loss`.

    >>> nn.MarginRankingLoss()(Tensor([1.0]), Tensor([3.0]), Tensor([1.0]))
    tensor(2.)
    """


class HingeEmbeddingLoss(Applied, of=functional.hinge_embedding_loss):
    """`functional.hinge_embedding_loss`.

    >>> nn.HingeEmbeddingLoss()(Tensor([0.25, 0.25]), Tensor([1, -1]))
    tensor(0.5000)
    """


class TripletMarginLoss(Applied, of=functional.triplet_margin_loss):
    """`functional.triplet_margin_loss`.

    >>> nn.TripletMarginLoss(eps=0.0)(*[Tensor([[0.0, 0.0]]), Tensor([[3.0, 4.0]]), Tensor([[3.0, 4.0]])])
    tensor(1.)
    """


class TripletMarginWithDistanceLoss(Applied, of=functional.triplet_margin_with_distance_loss):
    """`functional.triplet_margin_with_distance_loss`.

    >>> nn.TripletMarginWithDistanceLoss(margin=2.0)(*[Tensor([[0.0]]), Tensor([[1.0]]), Tensor([[1.0]])])
    tensor(2.)
    """


class SoftMarginLoss(Applied, of=functional.soft_margin_loss):
    """`functional.soft_margin_loss`.

    >>> nn.SoftMarginLoss()(Tensor([0.0]), Tensor([1.0]))
    tensor(0.6931)
    """


class MultiMarginLoss(Applied, of=functional.multi_margin_loss):
    """`functional.multi_margin_loss`.

    >>> nn.MultiMarginLoss()(Tensor([[0.0, 0.5]]), Tensor([1]))
    tensor(0.2500)
    """


class MultiLabelMarginLoss(Applied, of=functional.multilabel_margin_loss):
    """`functional.multilabel_margin_loss`.

    >>> nn.MultiLabelMarginLoss()(Tensor([[0.0, 0.5]]), Tensor([[1, -1]]))
    tensor(0.2500)
    """


class MultiLabelSoftMarginLoss(Applied, of=functional.multilabel_soft_margin_loss):
    """`functional.multilabel_soft_margin_loss`.

    >>> nn.MultiLabelSoftMarginLoss()(Tensor([[0.0, 0.0]]), Tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
