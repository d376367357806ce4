"""Demijohn: as small as Flask on day one, as complete as Django on day one hundred."""
