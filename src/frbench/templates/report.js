"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  const theme = document.getElementById("theme");
  const dark = () => root.dataset.theme === "dark" ||
    (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const nameTheme = () => { theme.textContent = dark() ? "Light colours" : "Dark colours"; };
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    nameTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
  nameTheme();

  const chooser = document.getElementById("operating-point");
  const choose = () => all("[data-op]").forEach((part) => {
    part.hidden = part.dataset.op !== chooser.value;
  });
  if (chooser) {
    chooser.addEventListener("change", choose);
    choose();
  }

  const value = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.v === undefined) return cell.textContent.trim();
    return cell.dataset.v === "" ? NaN : Number(cell.dataset.v);
  };
  const order = (a, b, sign) => {
    if (typeof a === "string") return sign * a.localeCompare(b, undefined, { numeric: true });
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b);
  };
  const sort = (table, heading) => {
    const column = heading.cellIndex;
    const body = table.tBodies[0];
    const down = heading.getAttribute("aria-sort") === "descending" ||
      (heading.getAttribute("aria-sort") === "none" && heading.classList.contains("t"));
    all("th[aria-sort]", table).forEach((other) => other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", down ? "ascending" : "descending");
    [...body.rows]
      .sort((a, b) => order(value(a, column), value(b, column), down ? 1 : -1))
      .forEach((row) => body.append(row));
  };
  all("table.sortable").forEach((table) => all("thead th", table).forEach((heading) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sort(table, heading));
  }));

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  const told = new Map();
  all("main svg * > title").forEach((title) => {
    told.set(title.parentNode, title.textContent);
    title.remove();
  });
  const hide = () => { tip.style.visibility = "hidden"; };
  document.addEventListener("pointermove", (event) => {
    const text = told.get(event.target);
    if (!text) return hide();
    tip.textContent = text;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.width - 8))}px`;
    const above = event.clientY - box.height - 12;
    tip.style.top = `${above > 4 ? above : event.clientY + 18}px`;
    tip.style.visibility = "visible";
  });
  document.addEventListener("scroll", hide, true);

  const tables = JSON.parse(document.getElementById("tables").textContent);
  const field = (entry) => {
    if (entry === null) return "";
    if (typeof entry === "number") return String(entry);
    const safe = /^[=+\-@\t\r]/.test(entry) ? `'${entry}` : entry;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const csv = (table) => {
    const columns = table.map((column) => column.codes
      ? column.codes.map((code) => column.values[code]) : column.values);
    const lines = [table.map((column) => field(column.name)).join(",")];
    columns[0].forEach((_, row) => {
      lines.push(columns.map((column) => field(column[row])).join(","));
    });
    return `${lines.join("\r\n")}\r\n`;
  };
  all("button[data-table]").forEach((button) => button.addEventListener("click", () => {
    const name = button.dataset.table;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv(tables[name])], { type: "text/csv" }));
    link.download = `${name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }));

  const column = (table, name) => {
    const found = table.find((one) => one.name === name);
    return found.codes ? found.codes.map((code) => found.values[code]) : found.values;
  };
  const oneIn = (rate) => {
    if (rate === 0) return "none seen";
    return rate > 0.5 ? `${(100 * rate).toPrecision(2)} %`
      : `1 in ${Number((1 / rate).toPrecision(2)).toLocaleString("en-GB")}`;
  };
  const share = (rate) => rate === 0 ? "none seen" : `${Number((100 * rate).toPrecision(2))} %`;
  all(".slider").forEach((part) => {
    const arms = column(tables.thresholds, "arm");
    const [score, group, fmr, fnmr, few] = ["threshold", "group", "fmr", "fnmr", "few_errors"]
      .map((name) => column(tables.thresholds, name).filter((_, row) => arms[row] === part.dataset.arm));
    const steps = [...new Set(score)];
    const input = part.querySelector("input");
    const output = part.querySelector("output");
    const body = part.querySelector("tbody");
    const show = () => {
      const chosen = steps[Number(input.value)];
      output.textContent = chosen.toPrecision(4);
      input.setAttribute("aria-valuetext", output.textContent);
      body.replaceChildren(...score.flatMap((value, row) => {
        if (value !== chosen) return [];
        const line = document.createElement("tr");
        const name = document.createElement("th");
        name.scope = "row";
        const isolated = document.createElement("bdi");
        isolated.textContent = group[row];
        name.append(isolated);
        const star = few[row] ? "*" : "";
        line.append(name, ...[oneIn(fmr[row]), share(fnmr[row])].map((text) => {
          const cell = document.createElement("td");
          cell.textContent = text + star;
          return cell;
        }));
        return [line];
      }));
    };
    input.value = input.dataset.start;  // a reloaded page keeps what stood there before
    input.addEventListener("input", show);
    show();
  });

  addEventListener("beforeprint", () => all("details").forEach((part) => {
    part.dataset.was = part.open ? "open" : "closed";
    part.open = true;
  }));
  addEventListener("afterprint", () => all("details[data-was]").forEach((part) => {
    part.open = part.dataset.was === "open";
  }));
})();
