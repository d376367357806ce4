"""`Form[...]`: fields of a class shown, read, checked and shown again, with every error at once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pydantic
import pytest

from demijohn import App, Fields, Page, Query, UploadFile, redirect
from demijohn.errors import ConfigurationError
from demijohn.forms import FileInput, Form, FormError, TextArea
from demijohn.schema import Field
from demijohn.testing import TestClient
from tests.forms.conftest import control, messages

Make = Callable[..., App]


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


@dataclass
class Contact:
    name: Annotated[str, Field(max_length=20, min_length=2, help="As you want to be called", placeholder="Ann")]
    email: Annotated[str, Field(format="email", label="E-mail")]
    age: Annotated[int, Field(ge=18, lt=130)]
    size: Size
    message: Annotated[str, Field(format="textarea")] = ""
    site: Annotated[str | None, Field(format="url")] = None
    agree: bool = False
    words: list[Literal["x", "y"]] = field(default_factory=list)
    staff: Annotated[bool, Field(readonly=True)] = False
    hash: Annotated[str, Field(private=True)] = ""


GOOD = {"name": "Ann", "email": "ann@example.org", "age": "30", "size": "s"}


def serve(app: App, cls: Any, seen: list[Any] | None = None) -> TestClient:
    """Let the app show a form of a class at `/`, and keep its data."""

    async def page(form: Any) -> Any:
        if form.is_valid:
            if seen is not None:
                seen.append(form.data)
            return redirect("/done")
        return Page("form.html", form=form)

    page.__annotations__["form"] = cls
    app.add_route("/", page, methods=["GET", "POST"])
    return TestClient(app, follow_redirects=False)


def test_a_form_is_shown(make_app: Make) -> None:
    """Each field has a label, its help, a control by its type with the constraints, and the CSRF token is there."""
    with serve(make_app(), Form[Contact]) as client:
        page = client.get("/").text
    assert '<label for="id_name">Name</label>' in page
    assert '<label for="id_email">E-mail</label>' in page
    assert '<p class="help" id="id_name_help">As you want to be called</p>' in page
    assert control(page, "name") == (
        '<input name="name" id="id_name" type="text" minlength="2" maxlength="20" dir="auto" required '
        'placeholder="Ann" aria-describedby="id_name_help" value="">'
    )
    assert 'type="email"' in control(page, "email")
    assert 'autocomplete="email"' in control(page, "email")
    assert 'min="18"' in control(page, "age")
    assert 'max="129"' in control(page, "age")
    assert control(page, "size").startswith("<select")
    assert control(page, "message").startswith("<textarea")
    assert 'type="checkbox"' in control(page, "agree")
    assert page.count('type="checkbox" name="words"') == 2
    assert 'name="csrf_token"' in page
    assert "required" not in control(page, "site")
    assert "staff" not in page
    assert "hash" not in page


def test_data_is_an_object_of_the_class(make_app: Make) -> None:
    """What was typed comes as the class, in its types; what was left empty is the default."""
    seen: list[Any] = []
    with serve(make_app(), Form[Contact], seen) as client:
        response = client.post("/", data={**GOOD, "name": " Ann ", "agree": "true", "words": ["y", "x"], "site": ""})
    assert response.status_code == 302
    assert seen == [Contact("Ann", "ann@example.org", 30, Size.SMALL, agree=True, words=["y", "x"])]


def test_every_error_comes_at_once(make_app: Make) -> None:
    """A form with errors is shown again, as 422, filled with what was typed, each error beside its field and above."""
    with serve(make_app(), Form[Contact]) as client:
        response = client.post(
            "/", data={"name": "A", "email": "no", "age": "17", "size": "xl", "site": "nowhere", "message": "Kept"}
        )
    page = response.text
    assert response.status_code == 422
    assert messages(page) == [
        "Name: At least 2 characters needed.",
        "E-mail: This is not an email address.",
        "Age: Must be at least 18.",
        "Size: Choose one of those that are offered.",
        "Site: This is not a web address.",
    ]
    assert '<a href="#id_name">' in page
    assert 'value="A"' in control(page, "name")
    assert 'aria-invalid="true"' in control(page, "name")
    assert 'aria-describedby="id_name_help id_name_errors"' in control(page, "name")
    assert '<ul class="errors" id="id_name_errors"><li>At least 2 characters needed.</li></ul>' in page
    assert ">\nKept</textarea>" in page
    assert "aria-invalid" not in control(page, "message")


def test_what_is_missing_is_said(make_app: Make) -> None:
    """An empty form says what is required, and nothing else."""
    with serve(make_app(), Form[Contact]) as client:
        page = client.post("/").text
    assert messages(page) == [f"{name}: This field is required." for name in ("Name", "E-mail", "Age", "Size")]


def test_unknown_fields_are_refused(make_app: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A field that the form does not have is an error, and logged, that of a readonly or private one too."""
    seen: list[Any] = []
    with serve(make_app(), Form[Contact], seen) as client:
        for name in ("staff", "hash", "is_admin", "name.x", "<b>"):
            response = client.post("/", data={**GOOD, name: "1"})
            assert response.status_code == 422, name
            assert "This field is not known here." in response.text
            assert "<b>" not in response.text
            assert client.post("/", data={**GOOD, "_button": "Send"}).status_code == 302
    assert "was sent fields that its form does not have: 'is_admin'" in caplog.text
    assert len(seen) == 5


def test_listed_fields_alone_exist(make_app: Make) -> None:
    """`Fields` says which are shown and taken, in its order; a field without a default must be among them."""
    seen: list[Any] = []

    class Note(msgspec.Struct):
        title: str
        body: str = "none"
        stars: int = 0

    app = make_app()
    with serve(app, Annotated[Form[Note], Fields("stars", "title")], seen) as client:
        page = client.get("/").text
        assert page.index('name="stars"') < page.index('name="title"')
        assert 'name="body"' not in page
        assert client.post("/", data={"title": "A", "body": "B"}).status_code == 422
        assert client.post("/", data={"title": "A"}).status_code == 302
    assert seen == [Note("A")]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "'&lt;"]
)
def test_markup_stays_text(make_app: Make, text: str) -> None:
    """What was typed comes back escaped, in every kind of control."""
    fields = dict.fromkeys(("name", "email", "age", "size", "message", "site", "agree", "words"), text)
    with serve(make_app(), Form[Contact]) as client:
        page = client.post("/", data=fields).text
    assert "<script>alert" not in page
    assert "<img" not in page
    assert ">49<" not in page
    assert '"49"' not in page
    assert "&lt;" in page or "{{ 7" in page or "&amp;lt;" in page


@dataclass
class Everything:
    price: Annotated[Decimal, Field(gt=0)]
    born: date
    at: time
    when: datetime
    kind: Annotated[Literal["a", "b"], Field(format="radio")]
    secret: Annotated[str, Field(format="new-password", min_length=8)]
    tags: list[str]
    maybe: bool | None
    ratio: float = 0.5


def test_every_type_is_read(make_app: Make) -> None:
    """Numbers, dates, times, choices, passwords, lists of words and three-valued answers are read in their types."""
    seen: list[Any] = []
    typed = {
        "price": "9.90",
        "born": "2001-02-03",
        "at": "12:30",
        "when": "2026-01-31T12:00",
        "kind": "b",
        "secret": "  spaces  ",
        "tags": "red, blue ,, red",
        "maybe": "false",
        "ratio": "",
    }
    with serve(make_app(), Form[Everything], seen) as client:
        assert client.post("/", data=typed).status_code == 302, messages(client.post("/", data=typed).text)
        page = client.post("/", data={**typed, "price": "0"}).text
    assert seen == [
        Everything(
            Decimal("9.90"),
            date(2001, 2, 3),
            time(12, 30),
            datetime(2026, 1, 31, 12, tzinfo=UTC),
            "b",
            "  spaces  ",
            ["red", "blue"],
            False,
        )
    ]
    assert messages(page) == ["Price: Must be greater than 0."]
    assert 'value="2026-01-31T12:00"' in control(page, "when")
    assert 'value="red, blue"' in control(page, "tags")
    assert "spaces" not in page
    assert '<option value="false" selected>No</option>' in page
    assert 'value="b" checked' in page


def test_moments_are_local(make_app: Make) -> None:
    """A date and time is read and shown in the zone of the visitor, where a battery knows it."""
    from zoneinfo import ZoneInfo

    class Meeting(msgspec.Struct):
        at: datetime

    app = make_app()
    app.templates.filters["to_local"] = lambda value: value.astimezone(ZoneInfo("Asia/Tokyo"))
    seen: list[Any] = []

    @app.route("/", methods=["GET", "POST"])
    async def page(form: Form[Meeting]) -> Any:
        if form.is_valid:
            seen.append(form.data.at)
        form.fill(Meeting(datetime(2026, 1, 31, 3, 0, tzinfo=UTC)))
        return Page("form.html", form=form)

    with TestClient(app) as client:
        assert 'value="2026-01-31T12:00"' in control(client.get("/").text, "at")
        client.post("/", data={"at": "2026-01-31T12:00"})
    assert seen[0].astimezone(UTC) == datetime(2026, 1, 31, 3, 0, tzinfo=UTC)


def test_sync_handlers(make_app: Make) -> None:
    """A plain `def` gets a form as well."""
    app = make_app()

    @app.route("/", methods=["GET", "POST"])
    def page(form: Form[Contact]) -> Any:
        return form.data.name if form.is_valid else Page("form.html", form=form)

    with TestClient(app) as client:
        assert client.get("/").status_code == 200
        assert client.post("/", data=GOOD).text == "Ann"
        assert client.post("/", data={}).status_code == 422


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("price", "1e999999"),
        ("price", "NaN"),
        ("price", "x" * 10000),
        ("born", "2001-02-30"),
        ("at", "25:00"),
        ("when", "soon"),
        ("kind", "c"),
        ("secret", "short"),
        ("maybe", "perhaps"),
        ("ratio", "inf"),
        ("tags", "\0"),
    ],
)
def test_wrong_types_are_errors(make_app: Make, name: str, text: str) -> None:
    """A text that is no value of the type is an error of its field, whatever it is."""
    with serve(make_app(), Form[Everything]) as client:
        response = client.post("/", data={name: text})
    assert response.status_code == 422


@dataclass
class Photo:
    title: str
    image: Annotated[UploadFile, Field(extra={"widget": FileInput(accept="image/*,.pdf", max_size=100)})]
    more: Annotated[list[UploadFile], Field(max_length=2)] = field(default_factory=list)


def test_files(make_app: Make) -> None:
    """A file is taken as it came, checked by size and kind; the form is multipart."""
    seen: list[Any] = []
    with serve(make_app(), Form[Photo], seen) as client:
        page = client.get("/").text
        assert 'enctype="multipart/form-data"' in page
        assert 'accept="image/*,.pdf"' in control(page, "image")
        assert "multiple" in control(page, "more")
        good = client.post(
            "/",
            data={"title": "A"},
            files=[("image", ("a.png", b"data", "image/png")), ("more", ("b.txt", b"b", "text/plain"))],
        )
        assert good.status_code == 302
        assert (seen[0].image.filename, seen[0].more[0].filename) == ("a.png", "b.txt")
        large = client.post("/", data={"title": "A"}, files={"image": ("a.png", b"d" * 101, "image/png")})
        assert messages(large.text) == ["Image: The file may have 100 B at most."]
        odd = client.post("/", data={"title": "A"}, files={"image": ("a.exe", b"d", "application/x-dos")})
        assert messages(odd.text) == ["Image: Files of this kind are not taken. Allowed: image/*,.pdf."]
        assert messages(client.post("/", data={"title": "A"}).text) == ["Image: This field is required."]
        text = client.post("/", data={"title": "A", "image": "a.png"})
        assert messages(text.text) == ["Image: This field is required."]


class Signup(msgspec.Struct):
    name: str
    password: Annotated[str, Field(format="new-password")]
    again: Annotated[str, Field(format="new-password")]


class SignupForm(Form[Signup], widgets={"name": TextArea(rows=2)}):
    def clean_name(self, value: str) -> str:
        if value == "root":
            raise ValueError("This name is not free.")
        return value.title()

    async def validate(self, data: Signup) -> None:
        if data.password != data.again:
            self.add_error("again", "The passwords differ.")
        if data.name == "Nobody":
            raise ValueError("Nobody may sign up.")


def test_validators_of_your_own(make_app: Make) -> None:
    """`clean_x` checks and changes one field, `validate` several; each says what is wrong where it belongs."""
    seen: list[Any] = []
    with serve(make_app(), SignupForm, seen) as client:
        assert 'rows="2"' in control(client.get("/").text, "name")
        page = client.post("/", data={"name": "root", "password": "a", "again": "b"}).text
        assert messages(page) == ["Name: This name is not free."]
        page = client.post("/", data={"name": "nobody", "password": "a", "again": "b"}).text
        assert messages(page) == ["Nobody may sign up.", "Again: The passwords differ."]
        assert client.post("/", data={"name": "ann lee", "password": "a", "again": "a"}).status_code == 302
    assert seen == [Signup("Ann Lee", "a", "a")]


def test_classes_that_check_themselves(make_app: Make) -> None:
    """What a class says of its values is an error of the form, and that of a pydantic model one of its field."""

    class Range(msgspec.Struct):
        low: int
        high: int

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("The range is upside down.")

    class Model(pydantic.BaseModel):
        even: int

        @pydantic.field_validator("even")
        @classmethod
        def check(cls, value: int) -> int:
            if value % 2:
                raise ValueError("is odd")
            return value

    seen: list[Any] = []
    with serve(make_app(), Form[Range], seen) as client:
        assert messages(client.post("/", data={"low": "2", "high": "1"}).text) == ["The range is upside down."]
        assert client.post("/", data={"low": "1", "high": "2"}).status_code == 302
    with serve(make_app(), Form[Model], seen) as client:
        assert messages(client.post("/", data={"even": "3"}).text) == ["Even: is odd."]
        assert client.post("/", data={"even": "4"}).status_code == 302
    assert seen == [Range(1, 2), Model(even=4)]


def test_a_typed_dict(make_app: Make) -> None:
    """A TypedDict gives a dict."""

    class Search(TypedDict, total=False):
        q: str
        page: int

    seen: list[Any] = []
    with serve(make_app(), Form[Search], seen) as client:
        assert client.post("/", data={"q": "wine"}).status_code == 302
    assert seen == [{"q": "wine"}]


def test_a_client_of_data_gets_data(make_app: Make) -> None:
    """A client that prefers JSON gets every error as problem+json, and no page."""
    with serve(make_app(), Form[Contact]) as client:
        response = client.post("/", data={**GOOD, "age": "1", "x": "1"}, headers={"accept": "application/json"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert [(error["place"], error["code"]) for error in response.json()["errors"]] == [
        (["form", "x"], "unknown"),
        (["form", "age"], "ge"),
    ]


def test_a_page_with_a_form_has_other_formats(make_app: Make) -> None:
    """Where a route offers its page as data, the form in it is what it shows and what is wrong, never a password."""
    app = make_app()

    @app.route("/", methods=["GET", "POST"], formats=["html", "json"])
    async def page(form: Form[Signup]) -> Any:
        return Page("form.html", form=form)

    with TestClient(app) as client:
        data = client.get("/", headers={"accept": "application/json"}).json()["form"]
        assert data["fields"]["name"] == {"label": "Name", "value": "", "errors": []}
        assert data["errors"] == {}
        assert "<form" in client.get("/", headers={"accept": "text/html"}).text


def test_a_form_in_the_query(make_app: Make) -> None:
    """With `Query()` a form is sent by GET, without a token; other names of the query are not its business."""

    class Filter(msgspec.Struct):
        words: str = ""
        least: Annotated[int, Field(ge=0)] = 0
        size: Size | None = None

    app = make_app()

    @app.get("/")
    async def page(form: Annotated[Form[Filter], Query()], page: int = 1) -> Any:
        if form.is_valid:
            return {"words": form.data.words, "least": form.data.least, "size": form.data.size, "page": page}
        return Page("form.html", form=form)

    with TestClient(app) as client:
        text = client.get("/?page=2").text
        assert '<form method="get" id="id_form" action="/">' in text
        assert "csrf" not in text
        assert messages(text) == []
        assert client.get("/?words=red&size=l&page=3&utm=x").json() == {
            "words": "red",
            "least": 0,
            "size": "l",
            "page": 3,
        }
        wrong = client.get("/?least=-1&words=%3Cb%3E")
        assert (wrong.status_code, messages(wrong.text)) == (200, ["Least: Must be at least 0."])
        assert 'value="&lt;b&gt;"' in control(wrong.text, "words")


def test_other_sites_are_refused(make_app: Make) -> None:
    """A post that another site made a browser send is refused before the form is read."""
    with serve(make_app(), Form[Contact]) as client:
        assert client.post("/", data=GOOD, headers={"sec-fetch-site": "cross-site"}).status_code == 403
        assert client.post("/", data=GOOD, headers={"sec-fetch-site": "same-site"}).status_code == 403


def test_two_forms_on_one_page(make_app: Make) -> None:
    """Each form of a page is sent by itself, and has ids of its own."""

    class One(msgspec.Struct):
        name: str

    app = make_app()
    seen: list[str] = []

    @app.route("/", methods=["GET", "POST"])
    async def page(first: Form[One], second: Form[One]) -> Any:
        seen.extend(name for name, form in (("first", first), ("second", second)) if form.is_valid)
        return str(first.opening()) + str(first) + str(second)

    with TestClient(app) as client:
        text = client.get("/").text
        assert 'id="id_first-name"' in text
        assert 'id="id_second-name"' in text
        assert '<input type="hidden" name="_form" value="second">' in text
        client.post("/", data={"_form": "second", "name": "A"})
        assert client.post("/", data={"_form": "first", "name": ""}).text.count("This field is required.") == 3
    assert seen == ["second"]


def test_fields_one_by_one(make_app: Make) -> None:
    """A template may lay the form out by itself: a field, its label, its control, its errors."""
    app = make_app()
    parts: list[str] = []

    @app.route("/", methods=["GET", "POST"])
    async def page(form: Form[Contact]) -> Any:
        name = form.name
        parts.extend([str(name), name.label, name.help, str(name.input), *name.errors, str(form["email"].label)])
        assert "name" in form
        assert [bound.name for bound in form][:2] == ["name", "email"]
        with pytest.raises(AttributeError, match="nothing"):
            form.nothing  # noqa: B018
        return "ok"

    with TestClient(app) as client:
        client.post("/", data={})
    assert parts[0].startswith('<div class="field">')
    assert parts[1:3] == ["Name", "As you want to be called"]
    assert parts[3].startswith("<input")
    assert parts[4:] == ["This field is required.", "E-mail"]


def test_an_app_puts_its_own_widget_in_place(make_app: Make, tmp_path: Any) -> None:
    """A template of the app of the same name takes the place of that of a widget."""
    app = make_app()
    folder = tmp_path / "templates/demijohn/forms/widgets"
    folder.mkdir(parents=True)
    (folder / "textarea.html").write_text("<my-editor{{ field.attributes() }}>{{ field.shown }}</my-editor>")
    with serve(app, Form[Contact]) as client:
        assert '<my-editor name="message"' in client.get("/").text


def test_data_is_there_only_when_valid(make_app: Make) -> None:
    """Reading `data` of a form with errors is a mistake of the developer, told as one."""
    app = make_app()

    @app.post("/")
    async def page(form: Form[Contact]) -> Any:
        with pytest.raises(FormError, match=r"DJN-905"):
            form.data  # noqa: B018
        with pytest.raises(FormError, match=r"DJN-904"):
            form.add_error("nobody", "Wrong")
        return "ok"

    with TestClient(app) as client:
        assert client.post("/", data={}).text == "ok"


def test_filled(make_app: Make) -> None:
    """`fill` shows values where nothing was typed."""
    app = make_app()

    @app.route("/", methods=["GET", "POST"])
    async def page(form: Form[Contact]) -> Any:
        form.fill({"name": "Bo", "size": Size.LARGE, "agree": True, "words": ["x"]})
        return Page("form.html", form=form)

    with TestClient(app) as client:
        page_ = client.get("/").text
        assert 'value="Bo"' in control(page_, "name")
        assert '<option value="l" selected>' in page_
        assert "checked" in control(page_, "agree")
        assert 'value="x" checked' in page_
        assert 'value="Cy"' in control(client.post("/", data={"name": "Cy"}).text, "name")


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        (Annotated[Form[Contact], Fields("nam")], "DJN-901"),
        (Annotated[Form[Contact], Fields("name", "staff")], "DJN-902"),
        (Annotated[Form[Contact], Fields("hash")], "DJN-902"),
        (Form, "DJN-900"),
        (Form[int], "DJN-015"),
    ],
)
def test_mistakes_are_found_at_the_start(make_app: Make, cls: Any, code: str) -> None:
    """A form that cannot be made is refused when the app starts, with the line to write."""
    app = make_app()
    serve(app, cls)
    with pytest.raises(ConfigurationError, match=code):
        app.freeze()


def test_the_marker_of_the_same_name_says_so() -> None:
    """`Form[...]` of the marker that takes one field tells where the form is."""
    from demijohn import Form as Marker

    with pytest.raises(ConfigurationError, match=r"from demijohn.forms import Form.*\n?.*DJN-906"):
        Marker[Contact]  # type: ignore[misc]


@dataclass
class Amount:
    price: Annotated[Decimal, Field(decimal_places=2)]


def test_money_has_two_decimal_places(make_app: Make) -> None:
    """The browser is told the step of an amount, and a finer one is refused beside its field."""
    seen: list[Any] = []
    with serve(make_app(), Form[Amount], seen) as client:
        assert 'step="0.01"' in client.get("/").text
        refused = client.post("/", data={"price": "19.999"})
        assert refused.status_code == 422
        assert "At most 2 decimal places allowed." in refused.text
        assert client.post("/", data={"price": "19.99"}).status_code == 302
    assert seen == [Amount(Decimal("19.99"))]
