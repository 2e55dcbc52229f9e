// Shows the stories that have every word that was typed, of the theme that was chosen. Nothing is fetched.
(function () {
  "use strict";
  var fold = function (text) { return text.normalize("NFKC").toLowerCase(); };
  var form = document.getElementById("search"), words = document.getElementById("words");
  var theme = document.getElementById("theme"), count = document.getElementById("count");
  var days = Array.prototype.map.call(document.querySelectorAll(".day"), function (day) {
    return { node: day, items: Array.prototype.map.call(day.querySelectorAll("li"), function (item) {
      return { node: item, text: fold(item.textContent), themes: JSON.parse(item.dataset.themes) };
    }) };
  });
  function show() {
    var wanted = fold(words.value).split(/\s+/).filter(Boolean), found = 0;
    var all = !wanted.length && !theme.value;
    days.forEach(function (day) {
      var here = 0;
      day.items.forEach(function (item) {
        var fits = (!theme.value || item.themes.indexOf(theme.value) >= 0) &&
          wanted.every(function (word) { return item.text.indexOf(word) >= 0; });
        item.node.hidden = !fits;
        here += fits;
      });
      day.node.hidden = !here && !all;
      found += here;
    });
    count.textContent = all ? "" : (found === 1 ? count.dataset.one : count.dataset.many.replace("99", found));
  }
  var asked = new URLSearchParams(location.search);
  words.value = asked.get("q") || "";
  theme.value = asked.get("theme") || "";
  if (theme.selectedIndex < 0) { theme.value = ""; }
  form.hidden = false;
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("input", show);
  if (words.value || theme.value) { show(); }
})();
