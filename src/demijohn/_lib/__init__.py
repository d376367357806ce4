"""The ground floor: small tools on the standard library alone."""
