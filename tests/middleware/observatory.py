"""The scoring of the MDN HTTP Observatory (version 1.4 of its algorithm), for what a framework sends.

Each function returns the result of one test under the name that the Observatory gives it; `MODIFIERS` is its table.
Bonus points count where the score without them is at least 90. Checked against its npm package 1.4.8.
"""

from dataclasses import dataclass, field

__all__ = ["Scan", "score"]

MODIFIERS = {
    "csp-implemented-with-no-unsafe-default-src-none": 10,
    "csp-implemented-with-no-unsafe": 5,
    "csp-implemented-with-unsafe-inline-in-style-src-only": 0,
    "csp-implemented-with-insecure-scheme-in-passive-content-only": -10,
    "csp-implemented-with-unsafe-eval": -10,
    "csp-implemented-with-unsafe-inline": -20,
    "csp-implemented-with-insecure-scheme": -20,
    "csp-header-invalid": -25,
    "csp-not-implemented": -25,
    "csp-not-implemented-but-reporting-enabled": -25,
    "cookies-secure-with-httponly-sessions-and-samesite": 5,
    "cookies-secure-with-httponly-sessions": 0,
    "cookies-not-found": 0,
    "cookies-without-secure-flag-but-protected-by-hsts": -5,
    "cookies-session-without-secure-flag-but-protected-by-hsts": -10,
    "cookies-without-secure-flag": -20,
    "cookies-samesite-flag-invalid": -20,
    "cookies-anticsrf-without-samesite-flag": -20,
    "cookies-session-without-httponly-flag": -30,
    "cookies-session-without-secure-flag": -40,
    "redirection-to-https": 0,
    "redirection-missing": -20,
    "referrer-policy-private": 5,
    "referrer-policy-not-implemented": 0,
    "referrer-policy-unsafe": -5,
    "referrer-policy-header-invalid": -5,
    "hsts-implemented-max-age-at-least-six-months": 0,
    "hsts-implemented-max-age-less-than-six-months": -10,
    "hsts-not-implemented": -20,
    "hsts-header-invalid": -20,
    "x-content-type-options-nosniff": 0,
    "x-content-type-options-not-implemented": -5,
    "x-content-type-options-header-invalid": -5,
    "x-frame-options-implemented-via-csp": 5,
    "x-frame-options-sameorigin-or-deny": 0,
    "x-frame-options-allow-from-origin": 0,
    "x-frame-options-not-implemented": -20,
    "x-frame-options-header-invalid": -20,
    "corp-header-invalid": -5,
    "corp-implemented-with-cross-origin": 0,
    "corp-implemented-with-same-origin": 10,
    "corp-implemented-with-same-site": 10,
    "corp-not-implemented": 0,
    "cross-origin-resource-sharing-not-implemented": 0,
    "cross-origin-resource-sharing-implemented-with-public-access": 0,
    "cross-origin-resource-sharing-implemented-with-restricted-access": 0,
    "cross-origin-resource-sharing-implemented-with-universal-access": -50,
}
MINIMUM_FOR_EXTRA_CREDIT = 90

BROAD = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}
BROAD_OR_INLINE = BROAD | {"'unsafe-inline'", "data:"}
HASHED = ("'sha256-", "'sha384-", "'sha512-", "'nonce-")


@dataclass
class Scan:
    """What a scanner sees: the page by https, its cookies, what http answers, and the answer to a preflight."""

    headers: dict[str, str]
    cookies: list[str] = field(default_factory=list)
    http_status: int = 308
    http_location: str = "https://example.org/"
    preflight: dict[str, str] = field(default_factory=dict)


def score(scan: Scan) -> tuple[int, dict[str, str]]:
    """Return the score and the result of each test."""
    csp = policy_of(scan.headers.get("content-security-policy"))
    results = {
        "content-security-policy": csp_result(scan, csp),
        "cookies": cookie_result(scan),
        "cross-origin-resource-sharing": sharing_result(scan),
        "redirection": "redirection-to-https" if redirects(scan) else "redirection-missing",
        "referrer-policy": referrer_result(scan),
        "strict-transport-security": transport_result(scan),
        "x-content-type-options": sniff_result(scan),
        "x-frame-options": frame_result(scan, csp),
        "cross-origin-resource-policy": resource_result(scan),
    }
    modifiers = [MODIFIERS[result] for result in results.values()]
    without_bonus = 100 + sum(modifier for modifier in modifiers if modifier < 0)
    return (100 + sum(modifiers) if without_bonus >= MINIMUM_FOR_EXTRA_CREDIT else without_bonus), results


def policy_of(header: str | None) -> dict[str, set[str]] | None:
    """Read a policy: directive to sources in lower case; `{}` for none, None where it is invalid."""
    if header is None:
        return {}
    policy: dict[str, set[str]] = {}
    for entry in header.split(";"):
        words = entry.split()
        if not words:
            continue
        name = words[0].lower()
        if name in policy and name not in ("report-uri", "report-to"):
            return None
        sources = {word.lower() for word in words[1:]}
        policy[name] = sources or ({"'none'"} if name.endswith("-src") else set())
    return policy or None


def csp_result(scan: Scan, csp: dict[str, set[str]] | None) -> str:
    """Judge the policy, the worst finding first."""
    if csp is None:
        return "csp-header-invalid"
    if not csp:
        only_reported = "content-security-policy-report-only" in scan.headers
        return "csp-not-implemented-but-reporting-enabled" if only_reported else "csp-not-implemented"
    default = csp.get("default-src", {"*"})
    script, style = set(csp.get("script-src", default)), set(csp.get("style-src", default))
    objects = csp.get("object-src", default)
    for sources in (script, style):
        if any(source.startswith(HASHED) for source in sources):
            sources.discard("'unsafe-inline'")
    if "'strict-dynamic'" in script:
        if not any(source.startswith(HASHED) for source in script):
            return "csp-header-invalid"
        script = {source for source in script if not source.startswith(tuple(BROAD)) and source != "'self'"}
    if script & BROAD_OR_INLINE or objects & BROAD:
        return "csp-implemented-with-unsafe-inline"
    active = script.union(*(value for name, value in csp.items() if name not in ("img-src", "media-src", "script-src")))
    passive = csp.get("img-src", default) | csp.get("media-src", default)
    if any(source.startswith(("http:", "ftp:")) for source in active):
        return "csp-implemented-with-insecure-scheme"
    if "'unsafe-eval'" in script | style:
        return "csp-implemented-with-unsafe-eval"
    if any(source.startswith(("http:", "ftp:")) for source in passive):
        return "csp-implemented-with-insecure-scheme-in-passive-content-only"
    if style & BROAD_OR_INLINE:
        return "csp-implemented-with-unsafe-inline-in-style-src-only"
    if csp.get("default-src") == {"'none'"}:
        return "csp-implemented-with-no-unsafe-default-src-none"
    return "csp-implemented-with-no-unsafe"


def cookie_result(scan: Scan) -> str:
    """Judge the cookies; the worst one counts."""
    if not scan.cookies:
        return "cookies-not-found"
    found = []
    secured = transport_result(scan) == "hsts-implemented-max-age-at-least-six-months"
    all_same_site = True
    for cookie in scan.cookies:
        name, _, rest = cookie.partition("=")
        attributes = {part.partition("=")[0].strip().lower(): part.partition("=")[2] for part in rest.split(";")[1:]}
        same_site = attributes.get("samesite", "").lower()
        all_same_site &= bool(same_site)
        session = any(word in name.lower() for word in ("login", "sess"))
        if "samesite" in attributes and same_site not in ("lax", "strict", "none"):
            found.append("cookies-samesite-flag-invalid")
        if "secure" not in attributes:
            if same_site == "none":
                found.append("cookies-samesite-flag-invalid")
            kind = "cookies-session" if session else "cookies"
            found.append(f"{kind}-without-secure-flag" + ("-but-protected-by-hsts" if secured else ""))
        if "csrf" in name.lower() and not same_site:
            found.append("cookies-anticsrf-without-samesite-flag")
        if session and "httponly" not in attributes:
            found.append("cookies-session-without-httponly-flag")
    if found:
        return min(found, key=lambda result: MODIFIERS[result])
    return "cookies-secure-with-httponly-sessions" + ("-and-samesite" if all_same_site else "")


def sharing_result(scan: Scan) -> str:
    """Judge CORS by the answer to a foreign origin."""
    origin = scan.preflight.get("access-control-allow-origin")
    if origin is None:
        return "cross-origin-resource-sharing-not-implemented"
    if origin == "*":
        return "cross-origin-resource-sharing-implemented-with-public-access"
    if scan.preflight.get("access-control-allow-credentials", "").lower() == "true" and "example" not in origin:
        return "cross-origin-resource-sharing-implemented-with-universal-access"
    return "cross-origin-resource-sharing-implemented-with-restricted-access"


def redirects(scan: Scan) -> bool:
    """Whether http leads to https."""
    return scan.http_status in (301, 302, 303, 307, 308) and scan.http_location.startswith("https://")


def referrer_result(scan: Scan) -> str:
    """Judge the referrer policy; the last value that is known counts."""
    header = scan.headers.get("referrer-policy")
    if header is None:
        return "referrer-policy-not-implemented"
    good = ("no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin")
    bad = ("origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade")
    known = [word for word in (part.strip().lower() for part in header.split(",")) if word in good + bad]
    if not known:
        return "referrer-policy-header-invalid"
    return "referrer-policy-private" if known[-1] in good else "referrer-policy-unsafe"


def transport_result(scan: Scan) -> str:
    """Judge HSTS."""
    header = scan.headers.get("strict-transport-security")
    if header is None:
        return "hsts-not-implemented"
    ages = [part.strip()[8:] for part in header.lower().split(";") if part.strip().startswith("max-age=")]
    if "," in header or not ages or not ages[0].isdigit():
        return "hsts-header-invalid"
    length = "at-least" if int(ages[0]) >= 15_552_000 else "less-than"
    return f"hsts-implemented-max-age-{length}-six-months"


def sniff_result(scan: Scan) -> str:
    """Judge nosniff."""
    header = scan.headers.get("x-content-type-options")
    if header is None:
        return "x-content-type-options-not-implemented"
    valid = header.strip().lower() == "nosniff"
    return "x-content-type-options-nosniff" if valid else "x-content-type-options-header-invalid"


def frame_result(scan: Scan, csp: dict[str, set[str]] | None) -> str:
    """Judge framing."""
    if csp and csp.get("frame-ancestors"):
        return "x-frame-options-implemented-via-csp"
    header = scan.headers.get("x-frame-options")
    if header is None:
        return "x-frame-options-not-implemented"
    if header.strip().lower() in ("deny", "sameorigin"):
        return "x-frame-options-sameorigin-or-deny"
    allows = header.strip().lower().startswith("allow-from")
    return "x-frame-options-allow-from-origin" if allows else "x-frame-options-header-invalid"


def resource_result(scan: Scan) -> str:
    """Judge CORP."""
    header = scan.headers.get("cross-origin-resource-policy")
    if header is None:
        return "corp-not-implemented"
    word = header.strip().lower()
    if word not in ("same-site", "same-origin", "cross-origin"):
        return "corp-header-invalid"
    return f"corp-implemented-with-{word}"
