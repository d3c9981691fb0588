// Reads the page again every five seconds and swaps its middle, unless somebody is in it.
"use strict";
const again = async () => {
  const main = document.querySelector("main");
  if (!document.hidden && !main.contains(document.activeElement)) {
    const answer = await fetch(location.href).catch(() => null);
    if (answer && answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      main.replaceChildren(...page.querySelector("main").children);
      if (!page.querySelector("script")) return;
    }
  }
  setTimeout(again, 5000);
};
setTimeout(again, 5000);
