"""Tools of training, where PyTorch has them. No logic is here."""
