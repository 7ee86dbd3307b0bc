"""Checks of the machine, of the compiled kernels, of the settings and of the data set."""

from dgcn.doctor.examination import examine
from dgcn.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
