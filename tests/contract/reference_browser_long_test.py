"""The API reference in a real browser, from files as they are: search, anchors, keyboard, widths, colours, examples."""

import os
import pathlib
import subprocess

import pytest
import webdriver

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ["index.html", "flows.html", "log_service.html", "error_reason.html", "destination.html"]

# The elements whose text is too faint for its ground (WCAG 2 AA: 4.5), and the ratio.
FAINT = """
function light(colour) {
  const [r, g, b] = colour.map((part) => part / 255).map((p) => p <= 0.04045 ? p / 12.92 : ((p + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const parts = (text) => text.match(/[\\d.]+/g).map(Number);
function ground(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = parts(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour.slice(0, 3);
  }
  return [255, 255, 255];
}
const found = new Map();
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility({checkOpacity: true})) continue;
  const [a, b] = [light(parts(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) found.set(`${element.tagName}.${element.className}`, ratio);
}
return [...found].map(([name, ratio]) => `${name} ${ratio.toFixed(2)}`);
"""
# The elements that reach beyond the right edge of the window.
WIDE = """
const edge = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= edge) return [];
return [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > edge + 1)
  .map((element) => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`);
"""
# Where the target of the address is, below the top of the window.
TOP = "return document.getElementById(decodeURIComponent(location.hash.slice(1)))?.getBoundingClientRect().top ?? null"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "site"
    done = subprocess.run([ROOT / "tools/reference", "--out", folder], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder.as_uri()


@pytest.fixture(scope="module")
def seen():
    with webdriver.browser() as browser:
        yield browser


@pytest.fixture(autouse=True)
def nothing_to_complain_of(seen):
    """After each test: no page said or missed anything."""
    seen.size(1280)
    seen.colours("light")
    yield
    assert seen.console() == []


def pictures():
    folder = pathlib.Path(os.environ.get("PASSERELLE_PICTURES", ROOT / "build" / "reference-pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def in_view(seen):
    top = seen.run(TOP)
    return top is not None and 0 <= top < 900


def test_search_finds_a_method_and_enter_goes_to_it(site, seen):
    seen.open(f"{site}/index.html")
    seen.press("/", *"exportlogs")
    first = seen.wait("return document.querySelector('#results:not([hidden]) a')?.textContent")
    assert first.startswith("LogService.ExportLogsmethod: ")
    assert "result" in seen.run("return document.getElementById('told').textContent")
    seen.press("Enter")
    seen.wait("return location.pathname.endsWith('/log_service.html') && location.hash === '#LogService.ExportLogs'")
    seen.wait(TOP)
    assert in_view(seen)
    seen.picture(pictures() / "method.png")


@pytest.mark.parametrize("typed, name", [
    ("replace_refused", "ErrorReason.ERROR_REASON_REPLACE_REFUSED"),
    ("max refused", "PushMembersRequest.Replace.max_refused_percent"),
    ("members", "ActivationService.StreamMembers"),
    ("stale", "Outcome.OUTCOME_STALE"),
])
def test_search_finds_errors_fields_and_values(site, seen, typed, name):
    seen.open(f"{site}/flows.html")
    seen.press("/", *typed)
    seen.wait("return [...document.querySelectorAll('#results:not([hidden]) a')].slice(0, 5)"
              ".some((link) => link.textContent.startsWith(arguments[0]))", name)


def test_results_are_walked_and_closed_by_keys(site, seen):
    seen.open(f"{site}/index.html")
    seen.press("/", *"members")
    seen.wait("return document.querySelectorAll('#results:not([hidden]) a').length > 3")
    seen.press("ArrowDown", "ArrowDown")
    assert seen.run("return document.activeElement === document.querySelectorAll('#results a')[1]")
    seen.picture(pictures() / "search.png")
    seen.press("Escape")
    assert seen.run("return document.getElementById('results').hidden && document.activeElement.type === 'search'")


def test_what_is_nowhere_is_said_to_be_nowhere(site, seen):
    seen.open(f"{site}/index.html")
    seen.press("/", *"zebra")
    seen.wait("return document.getElementById('told').textContent === '0 results'")
    assert seen.run("return document.getElementById('results').hidden")


def test_a_link_goes_to_its_anchor_below_the_header(site, seen):
    seen.open(f"{site}/log_service.html")
    seen.click("article[id='LogService.ExportLogs'] a[href$='#ExportLogsRequest']")
    seen.wait("return location.hash === '#ExportLogsRequest'")
    top = seen.wait(TOP)
    assert top >= seen.run("return document.querySelector('header').getBoundingClientRect().bottom") - 1
    assert in_view(seen)


def test_a_name_leads_to_its_page_from_the_front_page(site, seen):
    seen.open(f"{site}/index.html#Outcome.OUTCOME_STALE")
    seen.wait("return location.pathname.endsWith('/outcome.html') && location.hash === '#Outcome.OUTCOME_STALE'")
    seen.wait(TOP)
    assert in_view(seen)


def test_a_chosen_language_is_shown_alone_and_remembered(site, seen):
    seen.open(f"{site}/flows.html")
    shown = ("return [...new Set([...document.querySelectorAll('[data-language]:not([hidden])')]"
             ".map((part) => part.dataset.language))]")
    assert seen.run(shown) == ["python"]
    seen.click("button[value='rust']")
    assert seen.run(shown) == ["rust"]
    assert seen.run("return document.querySelector('button[value=rust]').getAttribute('aria-pressed')") == "true"
    seen.open(f"{site}/flows.html#logs-back")
    assert seen.wait(shown) == ["rust"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_their_width(site, seen, page, width):
    seen.size(width)
    seen.open(f"{site}/{page}")
    assert seen.run("return innerWidth") == width
    assert seen.run(WIDE) == []
    assert seen.run("return document.querySelector('main').getBoundingClientRect().width") > width * 0.6
    seen.picture(pictures() / f"{page.removesuffix('.html')}-{width}.png")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(site, seen, page, scheme):
    seen.colours(scheme)
    seen.open(f"{site}/{page}")
    dark = seen.run("return getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    assert dark == (scheme == "dark")
    assert seen.run(FAINT) == []
    seen.picture(pictures() / f"{page.removesuffix('.html')}-{scheme}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_a_link_led_to_is_marked_and_stands_out(site, seen, scheme):
    seen.colours(scheme)
    seen.open(f"{site}/log_service.html#LogService.ExportLogs")
    grounds = seen.run("return [':target', 'body'].map((at) => getComputedStyle(document.querySelector(at)).backgroundColor)")
    assert grounds[0] != grounds[1]
    assert seen.run(FAINT) == []


def test_faint_text_would_be_seen(site, seen):
    seen.open(f"{site}/index.html")
    seen.run("document.querySelector('h1').style.color = '#bbbbbb'")
    assert len(seen.run(FAINT)) == 1


def test_an_error_of_a_page_would_be_seen(site, seen):
    seen.open(f"{site}/index.html")
    seen.run("const image = new Image(); image.src = 'absent.png'; document.body.append(image)")
    said = []
    while not said:
        said = seen.console()
    assert "absent.png" in said[0]
