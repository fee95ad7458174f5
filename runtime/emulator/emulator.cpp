// The emulator as one shared library; kernels are compiled apart and find these names when they are loaded.
#include "scheduler.hpp"
#include "access.hpp"
#include "barrier.hpp"
#include "mbarrier.hpp"
#include "tma.hpp"
#include "mma.hpp"
#include "wgmma.hpp"
#include "interface.hpp"
