'use strict';
// Sorts the table by the column that is clicked on, and shows the rows that the flame graph's search finds.
(() => {
  const body = document.querySelector('tbody');
  const rows = [...body.rows];
  const heads = [...document.querySelectorAll('th')];
  const figure = cell => cell.dataset.v === undefined ? null : Number(cell.dataset.v);

  // Figures the largest first, texts in the order of the alphabet; the other way round when clicked on again.
  function sort(column) {
    const head = heads[column];
    const numbers = head.classList.contains('n');
    const first = numbers ? 'descending' : 'ascending', second = numbers ? 'ascending' : 'descending';
    const order = head.getAttribute('aria-sort') === first ? second : first;
    for (const other of heads) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', order);
    const sign = order === 'ascending' ? 1 : -1;
    rows.sort((a, b) => {
      const x = a.cells[column], y = b.cells[column];
      return sign * (numbers ? figure(x) - figure(y) : x.textContent.localeCompare(y.textContent));
    });
    body.append(...rows);
  }
  heads.forEach((head, column) => head.querySelector('button').addEventListener('click', () => sort(column)));

  document.addEventListener('search-frames', event => {
    const expression = event.detail;
    for (const row of rows) row.classList.toggle('out', Boolean(expression) && !expression.test(row.dataset.s));
  });
})();
