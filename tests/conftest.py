"""That this file is here puts this directory on the import path of every test: ``from support.pair import Pair``."""
