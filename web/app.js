// The results table, live. Rows come by pages from /v1/images and change by the events of /v1/events.
'use strict';

const PAGE = 50;
const rows = document.getElementById('rows');
const filter = document.getElementById('filter');
const older = document.getElementById('older');
const newest = document.getElementById('newest');
let next = null; // cursor of the page after the one that is shown
let onNewest = true;
let wanted = 0; // grows with each page asked for: a late answer to an older one is dropped
let loading = 0; // pages asked for and not here yet
let missed = []; // what events said meanwhile: the page may be older than they are, so they are applied after it

function text(tag, value, className) {
  const cell = document.createElement(tag);
  cell.textContent = value;
  if (className) cell.className = className;
  return cell;
}

function bestFace(image) {
  let best = null;
  for (const face of image.faces)
    if (face.similarity !== null && (!best || face.similarity > best.similarity)) best = face;
  return best;
}

function pictureCell(image) {
  const cell = text('td', '', 'image');
  if (image.status === 'failed' && image.faces.length === 0) return cell;
  const link = document.createElement('a');
  const picture = document.createElement('img');
  link.href = `/v1/images/${image.id}/photo`;
  picture.alt = '';
  picture.loading = 'lazy';
  // The face that decides, for a small picture of a whole photo rarely shows who is in it.
  const face = image.faces.indexOf(bestFace(image) || image.faces[0]);
  if (face >= 0) picture.src = `/v1/images/${image.id}/faces/${face}/crop?width=128`;
  picture.onerror = () => picture.remove();
  link.append(picture);
  cell.append(link);
  return cell;
}

function rowOf(image) {
  const row = document.createElement('tr');
  const best = bestFace(image);
  row.dataset.id = image.id;
  row.append(text('td', image.id, 'number'), pictureCell(image), text('td', image.path, 'path'));
  if (image.person) row.append(text('td', image.person.name, 'known'));
  else row.append(text('td', image.verdict === 'unknown' ? 'unknown' : '', 'unknown'));
  row.append(text('td', best ? best.similarity.toFixed(2) : '', 'number'));
  row.append(text('td', image.status, image.status), text('td', image.reason || '', 'reason'));
  return row;
}

function matches(image) {
  if (filter.value === '') return true;
  if (filter.value === 'unknown') return image.verdict === 'unknown';
  return image.status === filter.value;
}

function find(id) {
  return rows.querySelector(`tr[data-id="${id}"]`);
}

function showEmpty() {
  document.getElementById('empty').hidden = rows.children.length > 0 || filter.value !== '';
}

function take(image) {
  if (loading) missed.push(() => take(image));
  const old = find(image.id);
  if (!matches(image)) {
    if (old) old.remove();
    return;
  }
  const row = rowOf(image);
  row.classList.add('fresh');
  if (old) {
    old.replaceWith(row);
  } else if (onNewest) {
    let before = rows.firstElementChild;
    while (before && Number(before.dataset.id) > image.id) before = before.nextElementSibling;
    if (!before && rows.children.length >= PAGE) return;
    rows.insertBefore(row, before);
    while (rows.children.length > PAGE) rows.lastElementChild.remove();
  }
  showEmpty();
}

function drop(id) {
  if (loading) missed.push(() => drop(id));
  const row = find(id);
  if (row) row.remove();
}

async function load(after) {
  const mine = ++wanted;
  const query = new URLSearchParams({limit: PAGE});
  if (filter.value) query.set('status', filter.value);
  if (after) query.set('after', after);
  loading++;
  const page = await fetch(`/v1/images?${query}`).then((answer) => (answer.ok ? answer.json() : null), () => null);
  loading--;
  if (!page || mine !== wanted) return;
  rows.replaceChildren(...page.images.map(rowOf));
  next = page.next;
  onNewest = !after;
  older.disabled = !next;
  newest.disabled = onNewest;
  const later = missed;
  missed = [];
  for (const apply of later) apply();
  showEmpty();
}

async function count() {
  const answer = await fetch('/v1/stats');
  if (!answer.ok) return;
  const s = await answer.json();
  document.getElementById('counts').textContent =
    `${s.processed} processed · ${s.unknown} unknown · ${s.pending - s.unknown} pending · ` +
    `${s.processing} processing · ${s.failed} failed · ${s.workers_ready} of ${s.workers} workers`;
  showBreaker(s.breaker.state);
}

// The nodes of the cluster, when there is more than this one; looked at while the page is open.
function nodeRow(node) {
  const row = document.createElement('tr');
  const waiting = node.actors.reduce((sum, actor) => sum + actor.mailbox, 0);
  row.append(text('td', node.name + (node.self ? ' (this one)' : ''), 'known'), text('td', node.roles),
    text('td', node.version), text('td', node.api, 'path'), text('td', `${node.workers_ready} of ${node.workers}`),
    text('td', node.leaving ? 'leaving' : node.breaker, node.breaker === 'closed' ? 'processed' : 'failed'),
    text('td', waiting, 'number'));
  return row;
}

async function showNodes() {
  const seen = await fetch('/v1/nodes').then((answer) => (answer.ok ? answer.json() : null), () => null);
  const cluster = document.getElementById('cluster');
  if (seen) {
    cluster.hidden = seen.nodes.length < 2 && seen.bus === 'none';
    document.getElementById('nodes-summary').textContent =
      `${seen.nodes.length} ${seen.nodes.length === 1 ? 'node' : 'nodes'} · bus ${seen.bus}`;
    document.getElementById('nodes').replaceChildren(...seen.nodes.map(nodeRow));
  }
  setTimeout(showNodes, cluster.hidden && seen ? 15000 : 2000);
}

function showBreaker(state) {
  const badge = document.getElementById('breaker');
  badge.textContent = state === 'closed' ? '' : `recogniser: breaker ${state}`;
  badge.className = 'badge failed';
}

// Counts follow the events, at most twice a second.
let counting = false;
function countSoon() {
  if (counting) return;
  counting = true;
  setTimeout(() => { counting = false; count(); }, 500);
}

// The browser reconnects by itself and says what it saw last; when it has given up, we begin anew.
function listen() {
  const live = document.getElementById('live');
  const source = new EventSource('/v1/events');
  source.onopen = () => { live.textContent = 'live'; };
  source.onerror = () => {
    live.textContent = 'reconnecting';
    if (source.readyState !== EventSource.CLOSED) return;
    fetch('/v1/session').then((answer) => answer.json()).then((session) => {
      if (!session.roles.includes('read')) location.reload(); // the key was revoked
    }, () => null);
    load(null); // without events, at least what is there now
    count();
    setTimeout(listen, 2000);
  };
  source.addEventListener('image', (e) => { take(JSON.parse(e.data)); countSoon(); });
  source.addEventListener('deleted', (e) => { drop(JSON.parse(e.data).id); countSoon(); });
  // From hello on every change comes as an event: a page read before it could miss what happened in between.
  source.addEventListener('hello', () => { load(null); count(); });
  source.addEventListener('reset', () => { load(null); countSoon(); });
  source.addEventListener('breaker', (e) => showBreaker(JSON.parse(e.data).state));
}

filter.onchange = () => load(null);
older.onclick = () => load(next);
newest.onclick = () => load(null);
document.getElementById('retry').onclick = async () => {
  const answer = await fetch('/v1/images/retry?status=failed', {method: 'POST'});
  const body = await answer.json();
  document.getElementById('note').textContent =
    answer.ok ? `${body.retried} put back into the queue` : body.detail;
};

// Who may look: everybody on one's own machine, else whoever brings a key. It goes into a cookie that no script reads.
async function enter() {
  const session = await fetch('/v1/session').then((answer) => (answer.ok ? answer.json() : null), () => null);
  if (!session) {
    setTimeout(enter, 2000);
    return;
  }
  const inside = session.roles.includes('read');
  document.getElementById('door').hidden = inside;
  document.getElementById('inside').hidden = !inside;
  document.getElementById('live').hidden = !inside;
  document.getElementById('retry').hidden = !session.roles.includes('admin');
  document.getElementById('leave').hidden = session.auth !== 'keys';
  if (!inside) {
    if (session.name) document.getElementById('refused').textContent = `The key “${session.name}” may not read.`;
    document.getElementById('key').focus();
    return;
  }
  listen();
  showNodes();
}

document.getElementById('door').onsubmit = async (event) => {
  event.preventDefault();
  const answer = await fetch('/v1/session', {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({key: document.getElementById('key').value.trim()}),
  });
  document.getElementById('key').value = '';
  if (answer.ok) enter();
  else document.getElementById('refused').textContent = (await answer.json()).detail;
};
document.getElementById('leave').onclick = async () => {
  await fetch('/v1/session', {method: 'DELETE'});
  location.reload();
};

enter();
