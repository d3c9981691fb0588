// Small comforts; every page works without them.
(function () {
  "use strict";

  function showPasswordButtons() {
    document.querySelectorAll("[data-reveal]").forEach(function (button) {
      var field = document.getElementById(button.dataset.reveal);
      var text = button.textContent;
      var label = button.getAttribute("aria-label");
      function show(shown) {
        field.type = shown ? "text" : "password";
        button.textContent = shown ? button.dataset.textShown : text;
        button.setAttribute("aria-label", shown ? button.dataset.labelShown : label);
      }
      button.hidden = false;
      button.addEventListener("click", function () {
        show(field.type === "password");
      });
      // A password manager should find a password field when the form is sent.
      field.form.addEventListener("submit", function () {
        show(false);
      });
    });
  }

  function busyButtons() {
    document.querySelectorAll("[data-busy-label]").forEach(function (button) {
      var calm = button.textContent;
      button.form.addEventListener("submit", function (event) {
        if (button.getAttribute("aria-disabled") === "true") {
          event.preventDefault();
          return;
        }
        button.setAttribute("aria-disabled", "true");
        button.setAttribute("aria-live", "polite");
        button.textContent = button.dataset.busyLabel;
      });
      // The back button may bring the page back as it was left.
      window.addEventListener("pageshow", function () {
        button.removeAttribute("aria-disabled");
        button.textContent = calm;
      });
    });
  }

  function copyButtons() {
    if (!navigator.clipboard) {
      return;
    }
    document.querySelectorAll("[data-copy]").forEach(function (button) {
      var rows = document.getElementById(button.dataset.copy).querySelectorAll("div");
      button.hidden = false;
      button.addEventListener("click", function () {
        var lines = Array.from(rows, function (row) {
          return row.querySelector("dt").textContent + ": " + row.querySelector("dd").textContent;
        });
        navigator.clipboard.writeText(lines.join("\n")).then(function () {
          button.textContent = button.dataset.done;
        });
      });
    });
  }

  function focusFirstError() {
    var field = document.querySelector("[aria-invalid=true]");
    if (field) {
      field.focus();
    }
  }

  showPasswordButtons();
  busyButtons();
  copyButtons();
  focusFirstError();
})();
