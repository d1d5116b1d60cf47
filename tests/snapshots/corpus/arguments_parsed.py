"""Parses the arguments."""

import argparse

OPTIONS, REST = argparse.ArgumentParser().parse_known_args()
