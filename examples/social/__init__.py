"""A small social network: who follows whom, what may be seen, and what is told live.

demijohn -A examples.social.app migrate && demijohn -A examples.social.app db seed
demijohn run examples.social.app
"""
