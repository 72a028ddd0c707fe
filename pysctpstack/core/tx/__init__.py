"""The sending half of an association: what waits, what is outstanding, what may leave now."""
