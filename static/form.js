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
      var rows = document.getElementById(button.dataset.copy).querySelectorAll("a, p, dl > div");
      button.hidden = false;
      button.addEventListener("click", function () {
        var lines = Array.from(rows, function (row) {
          var label = row.querySelector("dt");
          var value = row.querySelector("dd");
          return label ? label.textContent + ": " + value.textContent : row.textContent;
        });
        navigator.clipboard.writeText(lines.join("\n")).then(function () {
          button.textContent = button.dataset.done;
        });
      });
    });
  }

  // What comes or goes while a button is held down would move it away from under the finger.
  function onceLetGo(act) {
    if (!held) {
      setTimeout(act, 0);
      return;
    }
    document.addEventListener("pointerup", function () { setTimeout(act, 0); }, { once: true });
  }

  var held = false;
  document.addEventListener("pointerdown", function () { held = true; }, true);
  ["pointerup", "pointercancel"].forEach(function (name) {
    document.addEventListener(name, function () { held = false; }, true);
  });

  // An app-specific password has 16 letters; hyphens and blanks are taken care of later.
  function warnOfOtherPasswords() {
    document.querySelectorAll("[data-warns-of]").forEach(function (warning) {
      var field = document.getElementById(warning.dataset.warnsOf);
      field.addEventListener("change", function () {
        var letters = field.value.normalize("NFKC").replace(/[\s\p{Pd}\u2212\p{Cf}]/gu, "");
        var looksRight = letters === "" || /^[a-z]{16}$/i.test(letters);
        onceLetGo(function () {
          warning.textContent = looksRight ? "" : warning.dataset.text;
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
  warnOfOtherPasswords();
  focusFirstError();
})();
