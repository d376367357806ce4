"""Speed, measured: Demijohn beside its peers, in CPU time per request (docs/explanation/speed.md)."""
