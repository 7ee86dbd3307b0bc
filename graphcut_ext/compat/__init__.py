"""Other libraries' names over these operators: import a module here in place of the library.

``import graphcut_ext.compat.maxflow as maxflow`` takes the place of ``import maxflow``. Calls,
shapes and results are those of the library; the code is this project's. A module is imported by
its own name, and costs nothing where it is not.
"""
