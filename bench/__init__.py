"""Measures gapless side by side with its peers: `python -m bench [SCENARIO ...]`, or `make bench`."""
