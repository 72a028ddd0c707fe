"""The receiving half of an association: which TSNs are here, what can be delivered, when to acknowledge."""
