"""Pages in headless Chromium, without a network."""

import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def loaded(url, *flags):
    """The page as Chromium has it after loading it, as HTML."""
    with tempfile.TemporaryDirectory() as profile:
        fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--proxy-server=127.0.0.1:9", f"--user-data-dir={profile}"]
        done = subprocess.run([BROWSER, *fixed, *flags, "--dump-dom", url], capture_output=True, text=True, timeout=120, check=True)
    assert "<html" in done.stdout, done.stderr[-2000:]
    return done.stdout


def in_a_frame(path, width, folder):
    """What a frame of so many pixels says of a page: how wide its content is, and which of its pictures are shown."""
    measure = Path(folder, "measure.html")
    measure.write_text(
        f"""<iframe src="{path.as_uri()}" style="width:{width}px;height:600px;border:0"></iframe><pre></pre><script>
        onload = () => {{
          const page = document.querySelector("iframe").contentDocument;
          const shown = [...page.querySelectorAll("figure > div")].filter(part => part.offsetParent).map(part => part.className);
          const table = page.querySelector(".wide"), first = table && table.querySelector("td");
          const before = first && first.getBoundingClientRect().left;
          if (table) table.scrollLeft = 150;
          document.querySelector("pre").textContent = JSON.stringify({{
            width: page.documentElement.scrollWidth, shown: [...new Set(shown)],
            scrolls: table ? table.scrollLeft : 0, moved: first ? before - first.getBoundingClientRect().left : 0}});
        }}
        </script>"""
    )
    return loaded(measure.as_uri(), "--allow-file-access-from-files").partition("<pre>")[2].partition("</pre>")[0]
