"""axe-core 4.14.1 (MPL 2.0, see LICENSE.txt): what it finds wrong with a page for people who do not see or point."""

import gzip
from pathlib import Path
from typing import Any

SOURCE = gzip.decompress((Path(__file__).parent / "axe.min.js.gz").read_bytes()).decode()


async def violations(page: Any) -> list[str]:
    """Return what axe-core finds on a page of playwright's async interface, one line each.

    It is evaluated from outside, so that the content security policy of the page stays as it is.
    """
    await page.evaluate(SOURCE)
    found = await page.evaluate("axe.run().then(result => result.violations)")
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]
    ]
