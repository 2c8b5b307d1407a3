'use strict';
// A frame is a <g class="f" data-p="begin,value,depth"> with a <title>, a <rect> and a <text>, in depth-first order.
// Everything is readable without this script; it fits the graph to the window and adds zoom, search and details. The
// graph is a document of its own or part of a page, which hears of a search by the event "search-frames".
(() => {
  const SVG = 'http://www.w3.org/2000/svg', HTML = 'http://www.w3.org/1999/xhtml';
  const ROW = 18, PAD = 10, CHAR = 7.23, MIN_TEXT = 3;
  const root = document.querySelector('svg');
  const top = Number(root.dataset.top);
  const byId = id => document.getElementById(id);
  const make = (parent, name, attributes = {}, ns = SVG) => {
    const element = document.createElementNS(ns, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return parent.appendChild(element);
  };

  const frames = [...document.querySelectorAll('.f')].map(g => {
    const [begin, value, depth] = g.dataset.p.split(',').map(Number);
    const title = g.querySelector('title');
    const details = title.textContent.split('\n');
    title.remove();  // replaced by the box that follows the pointer
    g.setAttribute('aria-label', details.join(', '));
    return {g, begin, value, depth, end: begin + value, details, name: g.dataset.n || details[0],
            rect: g.querySelector('rect'), text: g.querySelector('text'), children: [], parent: null};
  });
  const path = [];
  for (const frame of frames) {
    path.length = frame.depth;
    frame.parent = path[frame.depth - 1] || null;
    if (frame.parent) frame.parent.children.push(frame);
    path.push(frame);
    frame.g.frame = frame;
  }
  if (root !== document.documentElement) root.querySelector('title').remove();  // it would follow the pointer
  const all = frames[0];
  if (!all) return;
  let zoomed = all, focused = all, width = 0;

  const within = (frame, of) => frame.depth >= of.depth && frame.begin >= of.begin && frame.end <= of.end;
  const above = (frame, of) => frame.depth < of.depth && frame.begin <= of.begin && frame.end >= of.end;

  function clip(name, space) {
    const fit = Math.floor((space - 6) / CHAR);
    if (fit < MIN_TEXT) return '';
    const letters = [...name];
    return letters.length <= fit ? name : letters.slice(0, fit - 1).join('') + '…';
  }

  function layout() {
    const inner = width - 2 * PAD, scale = zoomed.value ? inner / zoomed.value : 0;
    for (const frame of frames) {
      const over = above(frame, zoomed);
      const shown = over || (within(frame, zoomed) && frame.value * scale >= 0.1);
      frame.g.classList.toggle('out', !shown);
      frame.g.classList.toggle('above', over);
      if (!shown) continue;
      const x = over ? PAD : PAD + (frame.begin - zoomed.begin) * scale;
      const space = over ? inner : Math.max(frame.value * scale, 0.1);
      frame.rect.setAttribute('x', x.toFixed(2));
      frame.rect.setAttribute('width', space.toFixed(2));
      frame.text.setAttribute('x', (x + 3).toFixed(2));
      frame.text.textContent = clip(frame.name, space);
    }
  }

  function resize() {
    width = Math.max(root.clientWidth || window.innerWidth || 1200, 320);
    root.setAttribute('viewBox', `0 0 ${width} ${root.dataset.height}`);
    root.setAttribute('height', root.dataset.height);
    tools.setAttribute('x', width - PAD - 340);
    byId('matched').setAttribute('x', width - PAD);
    const hint = byId('hint'), legend = byId('legend').getBBox();
    hint.setAttribute('x', width - PAD);
    hint.setAttribute('visibility', legend.x + legend.width + PAD < hint.getBBox().x ? 'visible' : 'hidden');
    layout();
  }

  function zoom(frame) {
    zoomed = frame;
    reset.disabled = frame === all;
    hideTip();
    layout();
    focus(frame);
  }

  function focus(frame) {
    focused.g.setAttribute('tabindex', '-1');
    focused = frame;
    frame.g.setAttribute('tabindex', '0');
    frame.g.focus({preventScroll: true});
  }

  // The box with a frame's details, beside the pointer or below the focused frame.
  const tip = make(root, 'g', {id: 'tip', visibility: 'hidden'});
  const tipBox = make(tip, 'rect', {rx: 5}), tipText = make(tip, 'text');
  function showTip(frame, x, y) {
    const fit = Math.floor((width - 4 * PAD) / CHAR);
    tipText.textContent = '';
    const lines = frame.details.map(line => line.length > fit ? line.slice(0, fit - 1) + '…' : line);
    lines.forEach((line, i) => { make(tipText, 'tspan', {x: 8, y: 18 + 16 * i}).textContent = line; });
    const w = Math.max(...lines.map(line => line.length)) * CHAR + 20, h = 16 * lines.length + 12;
    const left = Math.max(4, Math.min(x + 14, width - w - 4));
    const lowest = window.innerHeight - root.getBoundingClientRect().top;
    const down = y + 18 + h > lowest ? y - h - 8 : y + 18;
    tipBox.setAttribute('width', w);
    tipBox.setAttribute('height', h);
    tip.setAttribute('transform', `translate(${left},${down})`);
    tip.setAttribute('visibility', 'visible');
  }
  function hideTip() { tip.setAttribute('visibility', 'hidden'); }

  const frameOf = event => event.target.closest && event.target.closest('.f')?.frame;

  function search(pattern) {
    let expression = null;
    try {
      expression = pattern ? new RegExp(pattern, 'i') : null;
    } catch {
      byId('matched').textContent = 'not a regular expression';
      return;
    }
    document.dispatchEvent(new CustomEvent('search-frames', {detail: expression}));
    let sum = 0, covered = -1;
    root.classList.toggle('searching', Boolean(expression));
    for (const frame of frames) {
      const hit = Boolean(expression) && frame !== all && expression.test(frame.details[0] + ' ' + frame.details[1]);
      frame.g.classList.toggle('hit', hit);
      // Depth-first order: what begins before the last hit's end lies below it and is in the sum already.
      if (hit && frame.begin >= covered) {
        sum += frame.value;
        covered = frame.end;
      }
    }
    byId('matched').textContent = expression ? `matched: ${(100 * sum / (all.value || 1)).toFixed(1)} %` : '';
  }

  const tools = make(root, 'foreignObject', {y: 8, width: 340, height: 32});
  const bar = make(tools, 'div', {class: 'tools'}, HTML);
  const box = make(bar, 'input', {type: 'search', placeholder: 'search by regex', 'aria-label': 'search'}, HTML);
  const reset = make(bar, 'button', {type: 'button'}, HTML);
  reset.textContent = 'Reset zoom';
  reset.disabled = true;
  reset.addEventListener('click', () => zoom(all));
  box.addEventListener('input', () => search(box.value));
  byId('hint').textContent = 'click or Enter: zoom · arrows: move · Esc: back · /: search';

  root.addEventListener('click', event => {
    const frame = frameOf(event);
    if (frame) zoom(frame);
  });
  root.addEventListener('mousemove', event => {
    const frame = frameOf(event);
    const corner = root.getBoundingClientRect();
    if (frame) showTip(frame, event.clientX - corner.left, event.clientY - corner.top); else hideTip();
  });
  root.addEventListener('mouseleave', hideTip);
  root.addEventListener('focusin', event => {
    const frame = frameOf(event);
    if (frame && frame.g.matches(':focus-visible')) showTip(frame, Number(frame.rect.getAttribute('x')), top + frame.depth * ROW);
  });
  root.addEventListener('focusout', hideTip);

  // Where an arrow key leads from a frame; null: nowhere.
  function neighbour(frame, key) {
    if (key === 'ArrowUp') return frame.parent;
    if (key === 'ArrowDown') return frame.children[0] || null;
    const siblings = frame.parent ? frame.parent.children : [frame];
    return siblings[siblings.indexOf(frame) + (key === 'ArrowRight' ? 1 : -1)] || null;
  }
  window.addEventListener('keydown', event => {
    if (event.target === box) {
      if (event.key === 'Escape') { box.value = ''; search(''); focused.g.focus(); }
      return;
    }
    if (event.key === '/' || (event.key === 'f' && (event.ctrlKey || event.metaKey))) {
      box.focus();
      event.preventDefault();
    } else if (!root.contains(event.target)) {
      return;
    } else if (event.key === 'Escape') {
      zoom(zoomed.parent || all);
    } else if ((event.key === 'Enter' || event.key === ' ') && event.target.frame) {
      zoom(focused);
      event.preventDefault();
    } else if (event.key.startsWith('Arrow')) {
      const next = neighbour(focused, event.key);
      if (next && !next.g.classList.contains('out')) focus(next);
      event.preventDefault();
    }
  });

  all.g.setAttribute('tabindex', '0');
  root.setAttribute('width', '100%');
  window.addEventListener('resize', resize);
  resize();
})();
