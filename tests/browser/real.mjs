// `topi serve` on a small project of its own, made the way a person makes one: init, project add, import, serve.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const TOPI = process.env.TOPI ?? '';

/** What the program cannot do (yet), of what a served project needs; null: it can do everything. */
export async function missing() {
	if (!TOPI)
		return 'TOPI does not name the program';
	for (const command of ['import', 'serve'])
		if (!await run(TOPI, ['help', command]).then(() => true, () => false))
			return `this topi has no command ${command}`;
	return null;
}

const PROJECT = {
	slug: 'mara', title: 'Mara Triangle', description: 'A small project.',
	policy: { cant_tell: 1 }, // one "can't tell" sends a subject to the experts
	taxa: [
		{ code: 'blank', kind: 'blank', common_name: 'Nothing here' },
		{ code: 'zebra', kind: 'animal', common_name: 'Plains zebra', scientific_name: 'Equus quagga', hotkey: 'z' },
		{ code: 'topi', kind: 'animal', common_name: 'Topi', scientific_name: 'Damaliscus lunatus', hotkey: 't' },
		{ code: 'lion', kind: 'animal', common_name: 'Lion', scientific_name: 'Panthera leo' },
	],
};

/** JPEGs drawn by the browser itself; `grain` specks make one as heavy as a photograph. @returns {Promise<Buffer[]>} */
async function drawJpegs(browser, n, grain) {
	const page = await browser.newPage();
	const drawn = await page.evaluate(([count, n_specks]) => Array.from({ length: count }, (_, i) => {
		const canvas = document.createElement('canvas');
		[canvas.width, canvas.height] = n_specks ? [1280, 960] : [800, 600];
		const draw = canvas.getContext('2d');
		draw.fillStyle = '#c9d8e2';
		draw.fillRect(0, 0, 800, 600);
		draw.fillStyle = '#9a7b45';
		draw.fillRect(0, 320, 800, 280);
		draw.fillStyle = `hsl(${i * 37} 50% 35%)`;
		draw.fillRect(100 + 40 * (i % 12), 280, 160, 90);
		draw.fillText(String(i), 20, 20);
		for (let k = 0; k < n_specks; k++) {
			draw.fillStyle = `hsl(${k * 7 % 360} 30% ${20 + k * 13 % 60}% / 40%)`;
			draw.fillRect(k * 7919 % 1280, k * 6007 % 960, 2 + k % 9, 1 + k % 5);
		}
		return canvas.toDataURL('image/jpeg', 0.9).split(',')[1];
	}), [n, grain]);
	await page.close();
	return drawn.map((text) => Buffer.from(text, 'base64'));
}

async function freePort(host) {
	const socket = net.createServer();
	await new Promise((resolve) => socket.listen(0, host, resolve));
	const { port } = socket.address();
	await new Promise((resolve) => socket.close(resolve));
	return port;
}

/** One CSV row; a field with commas or quotes stands in quotes. @param {string} line */
function fields(line) {
	return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((m) => m[1]?.replaceAll('""', '"') ?? m[2]);
}

export class Real {
	#n_exports = 0;

	/** A project of n_subjects capture events of two photographs each, served at an address of this machine. */
	static async make(browser, n_subjects, grain = 0, host = '127.0.0.1') {
		const real = new Real();
		real.host = host;
		real.root = await mkdtemp(join(tmpdir(), 'topi-browser-'));
		real.dir = join(real.root, 'data');
		const photos = join(real.root, 'photos');
		await mkdir(photos);
		const lines = ['file,deployment,timestamp,event'];
		for (const [i, bytes] of (await drawJpegs(browser, 2 * n_subjects, grain)).entries()) {
			await writeFile(join(photos, `${i}.jpg`), bytes);
			const minute = String(Math.floor(i / 2)).padStart(2, '0');
			lines.push(`${i}.jpg,river,2026-07-01T06:${minute}:0${i % 2}Z,e${Math.floor(i / 2)}`);
		}
		await writeFile(join(photos, 'manifest.csv'), lines.join('\n') + '\n');
		await writeFile(join(real.root, 'project.json'), JSON.stringify(PROJECT));
		await run(TOPI, ['init', real.dir]);
		await run(TOPI, ['project', 'add', real.dir, join(real.root, 'project.json')]);
		await run(TOPI, ['import', real.dir, 'mara', photos, '--manifest', join(photos, 'manifest.csv'), '--utc-offset', '+00:00']);
		real.port = await freePort(host);
		await real.start();
		return real;
	}

	get url() {
		return `http://${this.host}:${this.port}/`;
	}

	async start() {
		this.server = spawn(TOPI, ['serve', this.dir, '--listen', `${this.host}:${this.port}`, '--worker', 'none'], { stdio: 'inherit' });
		for (let i = 0; i < 100; i++) {
			if (await fetch(`${this.url}healthz`).then((reply) => reply.ok, () => false))
				return;
			if (this.server.exitCode !== null)
				break;
			await new Promise((resolve) => {
				setTimeout(resolve, 100);
			});
		}
		throw new Error('topi serve does not answer');
	}

	/** An account with a role in the project. @param {string} name @param {string} password @param {'expert'|'moderator'} role */
	async addUser(name, password, role) {
		const file = join(this.root, 'password');
		await writeFile(file, `${password}\n`);
		await run(TOPI, ['user', 'add', this.dir, name, '--role', role, '--project', 'mara', '--password-file', file]);
	}

	/** Pages and pictures of the project. @param {Record<string, string|Buffer>} files by path */
	async setPages(files) {
		const folder = join(this.root, 'pages');
		for (const [path, bytes] of Object.entries(files)) {
			await mkdir(dirname(join(folder, path)), { recursive: true });
			await writeFile(join(folder, path), bytes);
		}
		await run(TOPI, ['project', 'pages', this.dir, 'mara', folder]);
	}

	/** Some of the project, as its file has it. @param {object} fields */
	async setProject(fields) {
		const file = join(this.root, 'change.json');
		await writeFile(file, JSON.stringify(fields));
		await run(TOPI, ['project', 'set', this.dir, 'mara', file]);
	}

	/** Some of the policy. @param {object} fields */
	async setPolicy(fields) {
		const file = join(this.root, 'policy.json');
		await writeFile(file, JSON.stringify(fields));
		await run(TOPI, ['policy', 'set', this.dir, 'mara', file]);
	}

	/** Truths to learn from. @param {Record<string, string>} labels code by subject */
	async addGold(labels) {
		const file = join(this.root, 'gold.csv');
		await writeFile(file, ['subject,label', ...Object.entries(labels).map((row) => row.join(','))].join('\n') + '\n');
		await run(TOPI, ['gold', 'add', this.dir, 'mara', file]);
	}

	/** kill -9, as a power cut would. */
	async stop() {
		if (this.server.exitCode !== null || this.server.signalCode !== null)
			return;
		const ended = new Promise((resolve) => {
			this.server.on('exit', resolve);
		});
		this.server.kill('SIGKILL');
		await ended;
	}

	async remove() {
		await this.stop();
		await rm(this.root, { recursive: true, force: true });
	}

	/** The answers in force, from the program's own export. @returns {Promise<Record<string, string>[]>} */
	async standing() {
		const out = join(this.root, `answers-${this.#n_exports++}.csv`);
		await run(TOPI, ['export', this.dir, 'mara', '--format', 'classifications', '--out', out]);
		const [head, ...lines] = (await readFile(out, 'utf8')).split(/\r?\n/).filter((line) => line !== '');
		const names = fields(head);
		const rows = lines.map((line) => Object.fromEntries(fields(line).map((value, i) => [names[i], value])));
		return rows.filter((row) => row.answer !== 'undone' && row.superseded_by === '');
	}

	/** The answers that are given from now on, as a server to ask. */
	async fromNow() {
		const known = new Set((await this.standing()).map(({ uuid }) => uuid));
		return { standing: async () => (await this.standing()).filter(({ uuid }) => !known.has(uuid)) };
	}
}
