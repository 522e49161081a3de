"""What is asked of the harness where there is no Chainer: `make newer` runs it on a newer Python."""

from importlib import util

collect_ignore_glob = ["test_*.py"] if util.find_spec("chainer") else []
