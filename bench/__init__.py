"""Speed and memory, measured as ratios of one run and never as tests: `make bench`."""
