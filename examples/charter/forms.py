"""A page with a form, from the same model: the other half of program 2.4 of the charter."""

from typing import Annotated

from demijohn import Fields, Page, flash, redirect
from demijohn.forms import ModelForm

from . import api as api  # the page of a post, and who is there
from .models import Post, User, app


@app.route("/posts/new", methods=["GET", "POST"])
async def new(form: Annotated[ModelForm[Post], Fields("title", "slug", "body", "tags")], user: User):
    if post := await form.save_if_valid(author=user):
        flash("Saved")
        return redirect(post)
    return Page("posts/form.html", form=form)
