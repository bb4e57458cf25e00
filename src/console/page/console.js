// The page: shows the view that the address names, and above it the name of the instance.

import { element, refresh, setText, toned } from "./dom.js";
import { DeadLettersView } from "./dead_letters.js";
import { timeZone } from "./format.js";
import { ItemView } from "./item.js";
import { NowView } from "./now.js";
import { OrderView } from "./order.js";
import { readRoute } from "./routes.js";
import { onStatus, startStatus } from "./status.js";
import { StockView } from "./stock.js";
import { foreignText } from "./text.js";
import { View } from "./view.js";

const VIEWS = {
  now: { View: NowView, link: "#/", title: () => "Now" },
  stock: { View: StockView, link: "#/stock", title: () => "Stock" },
  item: { View: ItemView, link: "#/stock", title: ({ productId }) => `Product ${productId}` },
  order: { View: OrderView, link: "#/orders", title: () => "Order" },
  "dead-letters": { View: DeadLettersView, link: "#/dead-letters", title: () => "Dead letters" },
};

class NoView extends View {
  constructor(main) {
    super(main, "There is no such page");
    this.controls.append(element("p", {}, element("a", { href: "#/" }, "Go to Now")));
    this.idle();
  }
}
const NOTHING = { View: NoView, link: "", title: () => "No such page" };

const main = document.getElementById("main");
let shown = null;
let title = "";
let host = "";
let version = null; // of the service that served this page

function setTitle() {
  document.title = [title, host, "Inventory service"].filter((part) => part !== "").join(" · ");
}

function markLink(current) {
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.getAttribute("href") === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function show() {
  const route = readRoute(location.hash || "#/");
  const entry = route ? VIEWS[route.view] : NOTHING;
  markLink(entry.link);
  title = entry.title(route);
  setTitle();
  shown?.stop();
  shown = new entry.View(main, route);
}

function stateOf(value, failure) {
  if (failure) return { text: "Not reached", tone: "bad" };
  return value.isReady ? { text: "Ready", tone: "good" } : { text: "Not ready", tone: "bad" };
}

function showInstance({ value, failure }) {
  const parts = [toned(stateOf(value, failure))];
  if (value) {
    const { instance } = value;
    host = String(instance.host);
    setTitle();
    version ??= instance.version;
    const share = instance.partition ? `, partition ${instance.partition}` : "";
    const name = `${host}, process ${instance.process}, version ${instance.version}${share}`;
    parts.push(" ", foreignText(name));
    if (version !== instance.version) {
      const reload = "The service was updated: reload this page";
      parts.push(" ", element("a", { href: "/" }, reload));
    }
  }
  refresh(document.getElementById("instance"), ...parts);
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // else the address would no longer name the view
  main.focus();
});
setText(
  document.getElementById("times"),
  `Nothing can be changed here. Times are in ${timeZone()}.`,
);
addEventListener("hashchange", () => {
  show();
  scrollTo(0, 0);
  shown.focus();
});
onStatus(showInstance);
startStatus();
show();
