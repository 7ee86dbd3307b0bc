"""Weakly supervised semantic segmentation from image labels, by deep graph cuts.

The command line is in `dgcn.cli`; the same from Python::

    from dgcn.options import load_config
    from dgcn.pipeline.chain import run_pipeline
    from dgcn.pipeline.run import open_run

    with open_run(load_config("config.yaml")) as run:
        run_pipeline(run)
"""
