"""Weakly supervised semantic segmentation from image labels, by deep graph cuts.

The command line is in `dgcn.cli`; the same from Python::

    from dgcn.engine.chain import run_chain
    from dgcn.engine.run import open_run
    from dgcn.options import load_config

    run_chain(open_run(load_config("config.yaml")))
"""
