/**
 * Runs by itself while the page's script is still on its way: on a slow line every question that waits for it counts. Asks
 * who one is and, where the address names a project, for it, its first subjects and the first picture. The replies are
 * taken by api.js; what fails is asked again there.
 */
{
	const slug = /^#\/p\/([^/]+)$/.exec(location.hash)?.[1];
	const project = `/api/projects/${slug}`;
	const ask = (/** @type {string} */ path, /** @type {object} */ body) => fetch(path, {
		method: body ? 'POST' : 'GET', headers: { 'X-Topi': '1', 'Content-Type': 'application/json' },
		body: body && JSON.stringify(body), credentials: 'same-origin', cache: 'no-store', redirect: 'error',
		signal: AbortSignal.timeout(30_000),
	});
	const me = ask('/api/me');
	/** @type {Map<string, Promise<Response>>} */
	const asked = new Map([['/api/me', me]]);
	if (slug) {
		const next = me.then(() => ask(`${project}/next`, { n: 4 })); // me sets the cookie
		asked.set(project, ask(project)).set(`${project}/next`, next);
		next.then((reply) => reply.clone().json()).then(({ tasks }) => {
			new Image().src = tasks[0].frames[0].url;
		}).catch(() => null);
	}
	for (const reply of asked.values())
		reply.catch(() => null);
	/** @type {any} */ (globalThis).topi_asked = asked;
}
