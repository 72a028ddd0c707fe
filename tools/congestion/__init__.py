"""Goodput over lines with delay, loss and a bottleneck: this stack in virtual time, usrsctp in real time."""
