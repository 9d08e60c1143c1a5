// A server in memory that follows docs/api.md, for what the real one cannot be made to do on command: dying between a
// commit and its reply, a picture that takes its time, an answer that is refused.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { scene } from './png.mjs';

const STATIC = new URL('../../static/', import.meta.url);
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };

const TAXA = [
	['blank', 'blank', 'Nothing here', '', ''],
	['zebra', 'animal', 'Plains zebra', 'Equus quagga', 'z'],
	['topi', 'animal', 'Topi', 'Damaliscus lunatus', 't'],
	['wildebeest', 'animal', 'Blue wildebeest', 'Connochaetes taurinus', 'w'],
	['buffalo', 'animal', 'African buffalo', 'Syncerus caffer', ''],
	['elephant', 'animal', 'Elephant', 'Loxodonta africana', 'e'],
	['giraffe', 'animal', 'Giraffe', 'Giraffa camelopardalis', 'g'],
	['lion', 'animal', 'Lion', 'Panthera leo', 'l'],
	['hyena', 'animal', 'Spotted hyena', 'Crocuta crocuta', ''],
	['human', 'human', 'Human', '', 'h'],
	['vehicle', 'vehicle', 'Vehicle', '', 'v'],
].map(([code, kind, common_name, scientific_name, hotkey], i) => ({ id: 11 + i, code, kind, common_name, scientific_name, hotkey }));

const FILES = { png: 'image/png', jpg: 'image/jpeg', webp: 'image/webp', svg: 'image/svg+xml' };

/** index.html with the languages that there are, as web/embed.c makes it. */
async function page() {
	const files = (await readdir(new URL('lang/', STATIC))).sort().join(' ');
	return (await readFile(new URL('index.html', STATIC), 'utf8')).replace('name="languages" content="en.js"', `name="languages" content="${files}"`);
}

/** main.js and page.css are one file each, as web/CMakeLists.txt makes them: a page of 50 files takes a second to open. */
const bundle = async (file) => (await promisify(execFile)('esbuild', [fileURLToPath(new URL(file, STATIC)), '--bundle', '--format=esm', '--charset=utf8'],
	{ maxBuffer: 1 << 24 })).stdout;
const read = (file) => file === 'index.html' ? page() : /^(main\.js|page\.css)$/.test(file) ? bundle(file) : readFile(new URL(file, STATIC));

/** Makes what was not made before. */
function once(make) {
	const made = new Map();
	return (...of) => {
		const key = of.join();
		if (!made.has(key))
			made.set(key, make(...of));
		return made.get(key);
	};
}
const readOnce = once(read), draw = once(scene);

class Refusal extends Error {
	constructor(http_status, status, message) {
		super(message);
		Object.assign(this, { http_status, status });
	}
}

export class Mock {
	/**
	 * @param {{n_subjects?: number, n_frames?: number, n_expert?: number, survey?: object, project?: object}} [what] `project`: what
	 *        serengeti() gives, or some of it
	 */
	constructor({ n_subjects = 12, n_frames = 3, n_expert = 0, survey = {}, project = {} } = {}) {
		this.survey = survey;
		const { files = new Map(), pages = new Map(), ...told } = project;
		this.files = files; // HASH.EXT -> bytes
		this.pages = pages; // name -> {language or '': Markdown}
		this.told = told; // fields of the project
		this.likely = null; // taxa in every task, where there are some
		this.practice = []; // {subject, taxa, why}
		this.flags = []; // {volunteer, subject, kind}
		this.comments = []; // {id, volunteer, subject, at, text, hidden, reason}
		this.others = null; // what `others` of a reply says
		this.page = null; // what /api/me/page says
		this.subjects = Array.from({ length: n_subjects + n_expert }, (_, i) => ({
			id: 101 + i, queue: i < n_subjects ? 'people' : 'expert',
			frames: Array.from({ length: 1 + (i + n_frames - 1) % n_frames }, (_f, k) => 1000 + 10 * i + k),
		}));
		this.sessions = new Map(); // cookie -> volunteer id
		this.volunteers = new Map(); // id -> {id, name, password, roles, admin}
		this.answers = []; // {uuid, volunteer, subject, body, undone}
		this.leases = new Map(); // `${volunteer}/${subject}` -> expires
		this.given = new Set(); // every lease ever
		this.requests = []; // {method, path}
		this.projects = true;
		this.guesses = new Map(); // subject -> taxon on a confirm card
		this.opinions = null; // Map subject -> taxon that the model thinks, where the project reveals it
		this.truths = new Map(); // subject -> taxon, or list of them, that an expert named and volunteers are told
		this.hooks = {}; // name -> async function before a reply; may throw a Refusal or return 'cut' to drop the connection
		this.port = 0;
		this.lease_ms = 600_000;
	}

	get url() {
		return `http://127.0.0.1:${this.port}/`;
	}

	async start() {
		this.server = http.createServer((request, response) => this.#serve(request, response));
		await new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
		this.port = this.server.address().port;
	}

	/** Dies at once, connections and all; what it has in memory stands for what a real server has on disk. */
	async stop() {
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}

	addUser(name, password, roles = {}, admin = false) {
		return this.#volunteer({ name, password, roles, admin });
	}

	/** Answers that stand: counted, not undone. */
	standing() {
		return this.answers.filter((answer) => !answer.undone);
	}

	refuse(http_status, status, message) {
		return new Refusal(http_status, status, message);
	}

	#volunteer(fields = {}) {
		const volunteer = { id: this.volunteers.size + 1, name: null, password: null, roles: {}, admin: false, ...fields };
		this.volunteers.set(volunteer.id, volunteer);
		return volunteer;
	}

	async #serve(request, response) {
		const chunks = [];
		for await (const part of request)
			chunks.push(part);
		const path = new URL(request.url, 'http://x').pathname;
		this.requests.push({ method: request.method, path });
		const headers = { 'Content-Security-Policy': "default-src 'self'; img-src 'self' blob:", 'Cache-Control': 'no-cache' };
		try {
			const kept = /^\/api\/projects\/mara\/files\/([0-9a-f]+\.(\w+))$/.exec(path);
			if (kept && this.files.has(kept[1])) {
				response.writeHead(200, { ...headers, 'Content-Type': FILES[kept[2]], 'Cache-Control': 'public, max-age=31536000, immutable' }).end(this.files.get(kept[1]));
				return;
			}
			if (path.startsWith('/api/')) {
				if (request.method !== 'GET' && request.headers['x-topi'] !== '1')
					throw new Refusal(403, 'denied', 'the header X-Topi is missing');
				const body = chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : {};
				const cookie = /topi=([0-9a-f]+)/.exec(request.headers.cookie ?? '')?.[1];
				const context = { cookie, set: null, query: new URL(request.url, 'http://x').searchParams };
				const name = path.split('/').at(-1);
				if (await this.hooks[`before ${name}`]?.(body) === 'cut')
					return void request.socket.destroy();
				const reply = this.#api(request.method, path, body, context);
				if (await this.hooks[`after ${name}`]?.(body, reply) === 'cut')
					return void request.socket.destroy();
				if (context.set)
					headers['Set-Cookie'] = `topi=${context.set}; HttpOnly; SameSite=Lax; Path=/`;
				response.writeHead(200, { ...headers, 'Content-Type': 'application/json' }).end(JSON.stringify(reply));
				return;
			}
			const media = /^\/media\/(\d+)\/(1280|320)\.jpg$/.exec(path);
			if (media) {
				await this.hooks.media?.(Number(media[1]), media[2]);
				const wide = media[2] === '1280' ? 640 : 160;
				const bytes = await this.picture?.(Number(media[1])) ?? draw(Number(media[1]), wide, wide * 3 / 4);
				response.writeHead(200, { ...headers, 'Content-Type': bytes[0] === 0xff ? 'image/jpeg' : 'image/png', 'Cache-Control': 'private, max-age=3600' }).end(bytes);
				return;
			}
			const file = path === '/' ? 'index.html' : path.replace('/static/', '');
			if (!/^(lang\/)?[a-z-]+\.(html|js|css|svg)$/.test(file))
				throw new Refusal(404, 'not found', `no page ${path}`);
			const bytes = await readOnce(file);
			response.writeHead(200, { ...headers, 'Content-Type': TYPES[file.split('.')[1]] }).end(bytes);
		} catch (cause) {
			const status = cause.http_status ?? 500;
			response.writeHead(status, { ...headers, 'Content-Type': 'application/json' })
				.end(JSON.stringify({ status: cause.status ?? 'fault', error: cause.message }));
		}
	}

	#api(method, path, body, context) {
		let me = this.volunteers.get(this.sessions.get(context.cookie));
		if (path === '/api/me' && !me) {
			me = this.#volunteer();
			this.#login(context, me);
		}
		const routes = {
			'GET /api/me': () => this.#me(me),
			'GET /api/projects': () => ({ projects: this.projects ? [this.#project()] : [] }),
			'GET /api/projects/mara': () => ({
				...this.#project(), taxa: TAXA, survey: this.survey, ...this.told,
				pages: [...this.pages].map(([name, texts]) => ({ name, languages: Object.keys(texts) })),
			}),
			'POST /api/signup': () => this.#signUp(me, body),
			'POST /api/login': () => this.#logIn(me, body, context),
			'POST /api/logout': () => (this.sessions.delete(context.cookie), {}),
			'POST /api/projects/mara/next': () => this.#next(this.#known(me), body),
			'POST /api/projects/mara/classifications': () => this.#classify(this.#known(me), body),
			'POST /api/projects/mara/undo': () => this.#undo(this.#known(me), body),
			'GET /api/projects/mara/answers': () => this.#answers(this.#known(me), Number(context.query.get('n') ?? 10)),
			'POST /api/projects/mara/release': () => this.#release(this.#known(me), body),
			'GET /api/projects/mara/practice': () => ({
				items: this.practice.map(({ subject, taxa, why = null }) => ({ frames: this.#frames(this.#subject(subject)), taxa, why })),
			}),
			'GET /api/projects/mara/flags': () => ({ flags: this.#flagsOf(this.#known(me), Number(context.query.get('subject'))) }),
			'POST /api/projects/mara/flags': () => this.#flag(this.#known(me), body),
			'GET /api/projects/mara/comments': () => this.#thread(this.#known(me), Number(context.query.get('subject'))),
			'POST /api/projects/mara/comments': () => this.#comment(this.#known(me), body),
			'GET /api/projects/mara/moderation': () => this.#moderation(this.#known(me)),
			'POST /api/projects/mara/moderation': () => this.#closeFlags(this.#known(me), body),
			'GET /api/me/page': () => this.page ?? { n_answers: this.#me(this.#known(me)).n_answers, days: [], projects: [], favourites: [] },
			'GET /api/me/export': () => ({ me: this.#me(this.#known(me)), answers: this.answers.filter((a) => a.volunteer === me.id) }),
			'POST /api/me/delete': () => (this.sessions.delete(context.cookie), {}),
			'POST /api/me/password': () => this.#password(this.#known(me), body),
		};
		const text = /^GET \/api\/projects\/mara\/pages\/(.+)$/.exec(`${method} ${path}`)?.[1];
		if (text)
			return this.#page(decodeURIComponent(text), context.query.get('lang') ?? '');
		const comment = /^POST \/api\/projects\/mara\/comments\/(\d+)$/.exec(`${method} ${path}`)?.[1];
		if (comment)
			return this.#hide(this.#known(me), Number(comment), body);
		const route = routes[`${method} ${path}`];
		if (!route)
			throw new Refusal(404, 'not found', `there is no ${path.startsWith('/api/projects/') ? 'such project' : path}`);
		return route();
	}

	#known(me) {
		if (!me)
			throw new Refusal(401, 'denied', 'nobody is logged in');
		return me;
	}

	#login(context, volunteer) {
		context.set = randomBytes(32).toString('hex');
		this.sessions.set(context.set, volunteer.id);
	}

	#me(me) {
		const n_answers = this.standing().filter((answer) => answer.volunteer === me.id).length;
		return { id: me.id, name: me.name, anonymous: me.name === null, admin: me.admin, roles: me.roles, n_answers };
	}

	#signUp(me, { name, password }) {
		if ([...this.volunteers.values()].some((v) => v.name === name))
			throw new Refusal(409, 'conflict', `the name ${name} is taken`);
		Object.assign(me, { name, password });
		return this.#me(me);
	}

	#logIn(me, { name, password }, context) {
		const account = [...this.volunteers.values()].find((v) => v.name === name && v.password === password);
		if (!account)
			throw new Refusal(403, 'denied', 'name or password is wrong');
		for (const answer of this.answers)
			if (me && me.name === null && answer.volunteer === me.id)
				answer.volunteer = account.id;
		this.#login(context, account);
		return this.#me(account);
	}

	#project() {
		const open = this.subjects.filter((subject) => subject.queue === 'people').length;
		const done = new Set(this.standing().map((answer) => answer.subject)).size;
		return { slug: 'mara', title: 'Mara Triangle', description: 'Twelve cameras along the river, from June to October.', n_subjects: this.subjects.length, n_open: open - Math.min(open, done), n_retired: done };
	}

	#task(me, subject) {
		const expires = Date.now() + this.lease_ms;
		this.leases.set(`${me.id}/${subject.id}`, expires);
		this.given.add(`${me.id}/${subject.id}`);
		return {
			task: subject.id, subject: subject.id, expires: new Date(expires).toISOString(), guess: this.guesses.get(subject.id) ?? null,
			frames: this.#frames(subject), ...(this.likely && { likely: this.likely }),
		};
	}

	#subject(id) {
		return this.subjects.find((subject) => subject.id === id);
	}

	#frames(subject) {
		return subject.frames.map((id) => ({ id, url: `/media/${id}/1280.jpg`, thumb: `/media/${id}/320.jpg`, width: 640, height: 480 }));
	}

	#next(me, { n, queue = 'people' }) {
		if (!(n >= 1 && n <= 10))
			throw new Refusal(400, 'bad input', 'n must be 1 to 10');
		if (queue === 'expert' && !(me.roles.mara ?? []).includes('expert'))
			throw new Refusal(403, 'denied', 'the expert queue is for experts');
		const answered = new Set(this.standing().filter((a) => a.volunteer === me.id).map((a) => a.subject));
		const free = this.subjects.filter((s) => s.queue === queue && !answered.has(s.id));
		const isHeld = (s) => (this.leases.get(`${me.id}/${s.id}`) ?? 0) > Date.now();
		const tasks = [...free.filter(isHeld), ...free.filter((s) => !isHeld(s))].slice(0, n).map((s) => this.#task(me, s));
		return { tasks, reason: tasks.length ? null : this.subjects.length ? 'seen' : 'done' };
	}

	#classify(me, body) {
		const before = this.answers.find((answer) => answer.uuid === body.uuid);
		if (before)
			return { uuid: body.uuid, counted: true, replay: true, ...this.#revealed(body.subject) };
		if (!this.given.has(`${me.id}/${body.subject}`))
			throw new Refusal(403, 'denied', 'this subject was never given to you');
		if (this.standing().some((answer) => answer.volunteer === me.id && answer.subject === body.subject))
			throw new Refusal(409, 'conflict', 'you have answered this subject already');
		this.answers.push({ uuid: body.uuid, volunteer: me.id, subject: body.subject, body, at: new Date().toISOString(), undone: false });
		this.leases.delete(`${me.id}/${body.subject}`);
		return { uuid: body.uuid, counted: true, replay: false, ...this.#revealed(body.subject) };
	}

	/** What is told after an answer, the first time and again. */
	#revealed(subject) {
		const [truth, ...truth_also] = [this.truths.get(subject) ?? []].flat();
		return {
			...(truth && { truth }), ...(truth_also.length && { truth_also }), ...(this.others && { others: this.others }),
			...(this.opinions && { model: this.opinions.get(subject) ?? null }),
		};
	}

	#undo(me, body) {
		const answer = this.answers.find((a) => a.uuid === body.of && a.volunteer === me.id);
		if (!answer)
			throw new Refusal(404, 'not found', 'you gave no such answer');
		answer.undone = true;
		return { uuid: body.uuid, task: this.#task(me, this.subjects.find((s) => s.id === answer.subject)) };
	}

	#answers(me, n) {
		const own = this.standing().filter((answer) => answer.volunteer === me.id).slice(-n).reverse();
		return {
			answers: own.map(({ uuid, subject, body, at }) => ({
				uuid, subject, at, answer: body.answer, taxa: body.taxa, ...(body.several && { several: true }),
				thumb: `/media/${this.#subject(subject).frames[0]}/320.jpg`, may_undo: !this.retired?.has(subject),
			})),
		};
	}

	#release(me, { subjects }) {
		for (const subject of subjects)
			this.leases.delete(`${me.id}/${subject}`);
		return {};
	}

	#page(name, language) {
		const texts = this.pages.get(name);
		if (!texts)
			throw new Refusal(404, 'not found', `there is no page ${name}`);
		const lang = language in texts ? language : '';
		return { markdown: texts[lang], lang };
	}

	#flagsOf(me, subject) {
		return this.flags.filter((flag) => flag.volunteer === me.id && flag.subject === subject).map((flag) => flag.kind);
	}

	#flag(me, { subject, kind, on }) {
		if (!['person', 'offensive', 'damaged', 'wrong_burst', 'favourite'].includes(kind))
			throw new Refusal(400, 'bad input', `there is no flag ${kind}`);
		if (!this.given.has(`${me.id}/${subject}`))
			throw new Refusal(403, 'denied', 'this subject was never given to you');
		this.flags = this.flags.filter((flag) => flag.volunteer !== me.id || flag.subject !== subject || flag.kind !== kind);
		if (on)
			this.flags.push({ volunteer: me.id, subject, kind });
		return { flags: this.#flagsOf(me, subject) };
	}

	#shownTo(me, { id, volunteer, subject, at, text, hidden }) {
		return { id, subject, name: this.volunteers.get(volunteer).name, at, text, mine: volunteer === me.id, hidden };
	}

	#mayModerate(me) {
		return me.admin || (me.roles.mara ?? []).includes('moderator');
	}

	#thread(me, subject) {
		if (!this.standing().some((answer) => answer.volunteer === me.id && answer.subject === subject))
			throw new Refusal(403, 'denied', 'answer first: what others say comes after it');
		return {
			comments: this.comments.filter((c) => c.subject === subject && (!c.hidden || this.#mayModerate(me))).map((c) => this.#shownTo(me, c)),
		};
	}

	#comment(me, { subject, text }) {
		this.#thread(me, subject);
		if (typeof text !== 'string' || text.trim() === '' || text.length > 500)
			throw new Refusal(400, 'bad input', 'a comment has 1 to 500 characters');
		this.comments.push({ id: this.comments.length + 1, volunteer: me.id, subject, at: new Date().toISOString(), text, hidden: false });
		return { id: this.comments.length };
	}

	#hide(me, id, { hidden, reason }) {
		if (!this.#mayModerate(me))
			throw new Refusal(403, 'denied', 'this is for moderators');
		Object.assign(this.comments.find((comment) => comment.id === id), { hidden, reason });
		return {};
	}

	#moderation(me) {
		if (!this.#mayModerate(me))
			throw new Refusal(403, 'denied', 'this is for moderators');
		const flags = [];
		for (const { subject, kind } of this.flags.filter((flag) => flag.kind !== 'favourite')) {
			const same = flags.find((flag) => flag.subject === subject && flag.kind === kind);
			if (same)
				same.n++;
			else
				flags.push({ subject, kind, n: 1, thumb: `/media/${this.#subject(subject).frames[0]}/320.jpg` });
		}
		return { comments: this.comments.map((comment) => this.#shownTo(me, comment)).reverse(), flags };
	}

	#closeFlags(me, { subject, kind }) {
		if (!this.#mayModerate(me))
			throw new Refusal(403, 'denied', 'this is for moderators');
		this.flags = this.flags.filter((flag) => flag.subject !== subject || flag.kind !== kind);
		return {};
	}

	#password(me, { old, new: next }) {
		if (me.password !== old)
			throw new Refusal(403, 'denied', 'the old password is wrong');
		me.password = next;
		return {};
	}
}
