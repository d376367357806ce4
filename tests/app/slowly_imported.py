"""A module that blocks while it is imported, as many do."""

from time import sleep

sleep(0.001)
NAME = "slow"
