"""The types that a checker sees for forms: what was typed, and what was saved."""

from typing import Annotated, Any, assert_type

import msgspec

from demijohn import App, Fields, Page, Request, redirect
from demijohn.db import Mapped, Model, column
from demijohn.forms import BoundField, Form, ModelForm, ModelViews, Rows


class Contact(msgspec.Struct):
    name: str
    age: int = 0


class Shelf(Model, isolated=True): ...


class Book(Shelf):
    title: Mapped[str] = column(max_length=40)


class ContactForm(Form[Contact], fields=("name", "age")):
    def clean_name(self, value: str) -> str:
        return value.title()

    def validate(self, data: Contact) -> None:
        if data.age < 0:
            self.add_error("age", "Nobody is that young.")


class BookForm(ModelForm[Book], fields=("title",), rows=[Rows("pages", "text")]):
    async def validate(self, data: Any) -> None: ...


app = App()


@app.route("/contact", methods=["GET", "POST"])
async def contact(form: Form[Contact], other: ContactForm) -> Any:
    assert_type(form.data, Contact)
    assert_type(other.data, Contact)
    assert_type(other.data.age, int)
    assert_type(form.name, BoundField)
    assert_type(form["name"].errors, list[str])
    assert_type(form.errors, dict[str, list[str]])
    assert_type(form.is_valid, bool)
    return Page("contact.html", form=form)


@app.route("/book", methods=["GET", "POST"])
async def book(form: Annotated[ModelForm[Book], Fields("title")], mine: BookForm) -> Any:
    assert_type(form.instance, Book | None)
    if made := await form.save_if_valid(title="Other"):
        assert_type(made, Book)
        return redirect("/")
    assert_type(await mine.save_if_valid(Book(title="x")), Book | None)
    assert_type(mine.data, dict[str, Any])
    return Page("book.html", form=form)


class Books(ModelViews[Book], fields=("title",)):
    list_display = ("title",)

    def query(self, request: Request) -> Any:
        return Book.where(Book.title != "")

    async def allows(self, action: str, request: Request, *, record: Book | None = None) -> bool:
        return record is None or record.title != ""


app.include(Books.blueprint(), prefix="/books")
