"""Opens pages of the service in Debian's Chromium, without a window."""

import contextlib
import re

from selenium import webdriver
from selenium.webdriver.common.by import By

from service import DEADLINE_S
from waiting import wait_for


@contextlib.contextmanager
def open_browser(folder):
    """Yields a driver; the browser's profile is in `folder`."""
    options = webdriver.ChromeOptions()
    for flag in (
        "--headless=new",
        "--no-sandbox",  # tests may run as root
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'chromium'}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service("/usr/bin/chromedriver")
    driver = webdriver.Chrome(service=service, options=options)
    driver.set_script_timeout(DEADLINE_S)
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """What a user sees and does. `allowed`: patterns of messages that the console may have."""

    def __init__(self, driver):
        self.driver = driver
        self.base = None
        self.allowed = ()
        self.resize(1280, 900)
        self.driver.get("about:blank")
        self.problems()

    def open(self, service, view="#/"):
        self.base = f"http://127.0.0.1:{service.http_port}/"
        self.driver.get("about:blank")  # else a change after the "#" would not reload the page
        self.driver.get(self.base + view)
        return self

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    @property
    def text(self):
        return self.script("return document.body.innerText")

    def texts(self, selector):
        return self.script(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)",
            selector,
        )

    def column(self, name):
        return self.texts(f'main tbody [data-name="{name}"]')

    def wait_for(self, condition, what):
        try:
            return wait_for(condition, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page says:\n{self.text}") from None

    def wait_for_text(self, *texts):
        self.wait_for(lambda: all(text in self.text for text in texts), f"{texts} on the page")

    def wait_for_no_text(self, text):
        self.wait_for(lambda: text not in self.text, f"no {text!r} on the page")

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, text, tags="a, button, summary"):
        """Clicks the first link, button or summary with this text; by script, as rows are redrawn."""
        found = self.script(
            "const found = [...document.querySelectorAll(arguments[0])]"
            "  .find((e) => e.textContent.trim() === arguments[1] && !e.disabled);"
            "found?.click();"
            "return Boolean(found)",
            tags,
            text,
        )
        assert found, f"nothing says {text!r}:\n{self.text}"

    def type(self, selector, text):
        element = self.find(selector)
        element.clear()
        element.send_keys(text)

    def press(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.script(
            "const e = document.activeElement; return e.id || e.textContent.trim() || e.tagName"
        )

    def resize(self, width, height, scheme="light"):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def problems(self):
        """The messages in the browser's console since the last call, except those allowed."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if not any(re.search(pattern, entry["message"]) for pattern in self.allowed)
        ]

    def is_unharmed(self):
        harm = "return window.harmed || document.querySelector('main script, main img') !== null"
        return not self.script(harm)
