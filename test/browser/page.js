// A browser behind a pipe: reads one JSON command a line, writes one JSON answer a line.
'use strict';
const readline = require('readline');
const {chromium} = require('playwright-core');

const [address, executablePath, shots] = process.argv.slice(2);

async function main() {
  const browser = await chromium.launch({executablePath, args: ['--no-sandbox', '--no-proxy-server']});
  const page = await browser.newPage({viewport: {width: 1200, height: 800}});
  let errors = [];
  page.on('pageerror', (e) => errors.push(String(e)));
  page.on('console', (m) => { if (m.type() === 'error') errors.push(m.text()); });
  await page.goto(address);
  const commands = {
    ready: async () => true,
    rows: () => page.$$eval('#rows tr', (rows) => rows.map((row) => {
      const cells = [...row.children].map((c) => c.textContent);
      return {id: cells[0], path: cells[2], person: cells[3], similarity: cells[4], status: cells[5], reason: cells[6]};
    })),
    pictures: () => page.$$eval('#rows img', (all) => all.filter((i) => i.complete && i.naturalWidth > 0).length),
    visible: (selector) => page.isVisible(selector),
    text: (selector) => page.textContent(selector),
    click: (selector) => page.click(selector),
    select: (selector, value) => page.selectOption(selector, value),
    type: (selector, text) => page.fill(selector, text),
    cookies: async () => (await page.context().cookies()).map((c) => `${c.name} ${c.httpOnly} ${c.sameSite}`),
    reload: () => page.reload(),
    shot: (name) => page.screenshot({path: `${shots}/${name}`}),
    errors: async () => errors,
    'forget-errors': async () => { errors = []; },
  };
  for await (const line of readline.createInterface({input: process.stdin})) {
    const [name, ...rest] = JSON.parse(line);
    let answer;
    try {
      const value = await commands[name](...rest);
      answer = {value: value === undefined || typeof value === 'object' && !Array.isArray(value) ? null : value};
    } catch (e) {
      answer = {error: String(e)};
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  await browser.close();
}

main().catch((e) => { process.stderr.write(`${e}\n`); process.exit(1); });
