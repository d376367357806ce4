"""A small content-management site: a tree of pages, drafts, revisions, pictures, editors, an API, an old Flask site.

It began as one file, and was taken apart as docs/how-to/bigger-apps.md says: `models`, then a blueprint for each of the
three who come: `public` for visitors, `editor` for those who write, `api` for programs.
"""
