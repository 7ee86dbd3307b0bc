"""A CUDA device for a torch without CUDA, on which the operators run the real kernels.

``make cuda-emulated`` runs the tests marked ``cuda`` on it. ``graphcut_ext`` does not know of it:
tensors say ``is_cuda``, and their memory is the host's (`memory`). torch's operators compute on the
CPU, and tell when a device would have to be waited for (`operators`). Streams, events and captured
graphs are those of `runtime`. The compiled core is one whose CUDA sources are compiled for the CPU,
see ``tests/core/cuda`` and ``CMakeLists.txt`` here. `plugin` puts all in place before torch is
imported.
"""
