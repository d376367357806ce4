"""Static files: hashed URLs, variants, ranges, and nothing that does not belong to the public."""

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn import App, Blueprint
from demijohn.app.assets import AssetMissing, Assets, ViteManifest, import_map
from tests.app.calling import call

CSS = "body { color: red }\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "js").mkdir(parents=True)
    (root / "app.css").write_text(CSS)
    (root / "js" / "app.js").write_text("export default 1")
    (root / "photo.png").write_bytes(b"\x89PNG" + bytes(2000))
    (root / ".env").write_text("SECRET=1")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("x")
    (tmp_path / "outside.txt").write_text("outside")
    os.symlink(tmp_path / "outside.txt", root / "link.txt")
    os.symlink(root / "app.css", root / "inside.css")
    return root


@pytest.fixture
def app(folder: Path) -> App:
    return App(static=folder)


async def test_hashed_url_is_kept_for_ever_and_plain_url_is_checked(app: App) -> None:
    """The hashed URL may be kept a year; the plain one has an ETag and answers 304."""
    app.freeze()
    url = app.static_url("app.css")
    assert url.startswith("/static/app.")
    assert url.endswith(".css")
    hashed = await call(app, "GET", url)
    assert hashed.body == CSS.encode()
    assert "immutable" in hashed.headers["cache-control"]
    plain = await call(app, "GET", "/static/app.css")
    assert plain.headers["cache-control"] == "no-cache"
    again = await call(app, "GET", "/static/app.css", headers={"if-none-match": plain.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


async def test_a_file_has_one_plain_url(app: App) -> None:
    """Slashes around the name make no further URLs, each with a copy in memory; templates may begin with one."""
    for path in ("/static/app.css/", "/static//app.css", "/static/app.css//"):
        assert (await call(app, "GET", path)).status == 404
    assert app.static_url("/app.css") == app.static_url("app.css")


async def test_a_changed_file_has_another_url_and_the_old_one_still_answers(app: App, folder: Path) -> None:
    """An edit shows at once, and a page of the version before gets the new file without keeping it."""
    app.freeze()
    old = app.static_url("app.css")
    (folder / "app.css").write_text("new")
    assert app.static_url("app.css") != old
    response = await call(app, "GET", old)
    assert (response.body, response.headers["cache-control"]) == (b"new", "no-cache")


async def test_packed_by_negotiation(app: App) -> None:
    """Text is packed as the client likes it best, with a tag of its own; pictures are left alone."""
    plain = await call(app, "GET", "/static/app.css")
    packed = await call(app, "GET", "/static/app.css", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == CSS.encode()
    assert packed.headers["vary"] == "accept-encoding"
    assert packed.headers["etag"] != plain.headers["etag"]
    picture = await call(app, "GET", "/static/photo.png", headers={"accept-encoding": "gzip, br, zstd"})
    assert "content-encoding" not in picture.headers


async def test_a_sibling_packed_ahead_is_used(app: App, folder: Path) -> None:
    """`app.css.gz`, if it is not older than the file, is sent instead of packing anew."""
    (folder / "app.css.gz").write_bytes(gzip.compress(b"ahead"))
    packed = await call(app, "GET", "/static/app.css", headers={"accept-encoding": "gzip"})
    assert gzip.decompress(packed.body) == b"ahead"


async def test_ranges(app: App) -> None:
    """A part of a file is sent as 206, from the file as it is."""
    headers = {"range": "bytes=0-3", "accept-encoding": "gzip"}
    response = await call(app, "GET", "/static/app.css", headers=headers, read=True)
    assert (response.status, response.headers["content-range"]) == (206, f"bytes 0-3/{len(CSS)}")
    assert response.body == b"body"


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".git/config",
        "../outside.txt",
        "js/../../outside.txt",
        "link.txt",
        "js",
        "js/",
        "nothing.css",
        "app.css/x",
        "..\\outside.txt",
        "app.css\0.png",
        "",
    ],
)
async def test_what_is_not_public(app: App, name: str) -> None:
    """Dot files, paths and links that lead out, folders and missing files are all 404."""
    response = await call(app, "GET", f"/static/{name}")
    assert response.status == 404, name


async def test_a_link_within_the_folder_works(app: App) -> None:
    """A symbolic link that stays inside may be served."""
    assert (await call(app, "GET", "/static/inside.css")).body == CSS.encode()


@given(st.text(alphabet="./\\%0aéab_-~\0\n ", max_size=30))
def test_no_path_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever is asked for, a path is inside of the folder, or there is none."""
    root = tmp_path_factory.getbasetemp() / "deep" / "static"
    root.mkdir(parents=True, exist_ok=True)
    path = Assets(root)._path_of(name)
    assert path is None or path.startswith(os.path.realpath(root) + os.sep)


async def test_blueprints_have_their_own_folder(app: App, tmp_path: Path) -> None:
    """A blueprint's files live below its prefix; `static_url` looks there first, then in the app's."""
    own = tmp_path / "blog_static"
    own.mkdir()
    (own / "blog.css").write_text("blog")
    blog = Blueprint("blog", static=own)
    app.include(blog, prefix="/blog")
    app.freeze()
    assert app.static_url("blog.css", namespace="blog").startswith("/blog/static/blog.")
    assert app.static_url("app.css", namespace="blog").startswith("/static/app.")
    assert (await call(app, "GET", "/blog/static/blog.css")).body == b"blog"
    assert app.url_for("blog.static", filename="blog.css") == "/blog/static/blog.css"
    with pytest.raises(AssetMissing, match=r"Did you mean 'app.css'"):
        app.static_url("ap.css")


async def test_single_page_application(tmp_path: Path) -> None:
    """Pages of its own routing get the first page; missing scripts, other methods and API clients do not."""
    build = tmp_path / "dist"
    build.mkdir()
    (build / "index.html").write_text("<div id=app></div>")
    (build / "main.js").write_text("1")
    app = App()

    @app.get("/api/x")
    async def x() -> str:
        return "x"

    app.spa(build)
    browser = {"accept": "text/html,*/*"}
    assert (await call(app, "GET", "/deep/page", headers=browser)).body == b"<div id=app></div>"
    assert (await call(app, "GET", "/", headers=browser)).body == b"<div id=app></div>"
    assert (await call(app, "GET", "/main.js")).body == b"1"
    assert (await call(app, "GET", "/api/x")).body == b"x"
    assert (await call(app, "GET", "/gone.js", headers=browser)).status == 404
    for data in ("application/json", "application/json, text/html;q=0.5", "*/*", "text/html;q=0"):
        assert (await call(app, "GET", "/deep/page", headers={"accept": data})).status == 404
    assert (await call(app, "POST", "/deep/page", headers=browser)).status == 404


def test_import_map(folder: Path) -> None:
    """Modules are led to their hashed URLs, in a script with the nonce of the response."""
    text = import_map(Assets(folder), nonce="abc", named={"app": "js/app.js"})
    assert text.startswith('<script type="importmap" nonce="abc">')
    imports = json.loads(text.partition(">")[2].removesuffix("</script>"))["imports"]
    assert imports["app"] == imports["/static/js/app.js"]
    assert imports["app"] == Assets(folder).url("js/app.js")


def test_vite_manifest(folder: Path) -> None:
    """Styles, modules ahead and the script of an entry point; its own server while developing."""
    built = folder / "dist"
    (built / ".vite").mkdir(parents=True)
    manifest = {
        "src/main.ts": {"file": "main.1.js", "isEntry": True, "imports": ["_shared.js"], "css": ["main.css"]},
        "_shared.js": {"file": "shared.2.js", "css": ["shared.css"]},
    }
    (built / ".vite" / "manifest.json").write_text(json.dumps(manifest))
    assets = Assets(folder)
    tags = ViteManifest(assets).tags("src/main.ts", nonce="n")
    assert tags == (
        '<link rel="stylesheet" href="/static/dist/shared.css" nonce="n">'
        '<link rel="stylesheet" href="/static/dist/main.css" nonce="n">'
        '<link rel="modulepreload" href="/static/dist/shared.2.js">'
        '<script type="module" src="/static/dist/main.1.js" nonce="n"></script>'
    )
    with pytest.raises(AssetMissing, match=r"Did you mean 'src/main\.ts'"):
        ViteManifest(assets).tags("src/main.js")
    assert "http://localhost:5173/@vite/client" in ViteManifest(assets, dev_server="http://localhost:5173").tags("a.js")
    with pytest.raises(AssetMissing, match="vite build"):
        ViteManifest(assets, folder="other").tags("a.js")
