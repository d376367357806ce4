"""A news site in four languages, with accounts, roles, drafts, comments, an admin and a JSON API; and a page that shows
every row of the comparison with Flask and Django, here and now.

demijohn run examples/newsroom/app.py
"""
