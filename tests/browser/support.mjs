// The browser that the tests drive, and small steps that many of them take.

const CHROMIUM = '/usr/bin/chromium';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
	'--disable-sync', '--no-first-run', '--disable-dev-shm-usage'];

export async function launch() {
	const { chromium } = await import('playwright-core');
	return chromium.launch({ executablePath: CHROMIUM, args: ARGS });
}

/**
 * The subject on screen, once it can be answered: another than `before`, or exactly `wanted`.
 * @returns {Promise<string>}
 */
export async function onScreen(page, before, wanted) {
	const handle = await page.waitForFunction(([not, only]) => {
		const work = document.querySelector('.work:not([hidden])');
		const subject = work?.querySelector('.choice:enabled') && work.dataset.subject;
		return subject && subject !== not && (!only || subject === only) ? subject : null;
	}, [before, wanted], { timeout: 20_000 });
	return handle.jsonValue();
}

/** The names that the filter leaves. */
export function choices(page) {
	return page.$$eval('.taxa .choice:not([hidden]) .name', (nodes) => nodes.map((node) => node.textContent));
}

/** Waits until the server has n answers that stand and the page knows that nothing waits. */
export async function sent(page, server, n) {
	const end_ms = Date.now() + 20_000;
	while ((await server.standing()).length !== n) {
		if (Date.now() > end_ms)
			throw new Error(`the server has ${(await server.standing()).length} answers, ${n} were expected`);
		await page.waitForTimeout(50);
	}
}

async function enter(page, button, name, password) {
	await page.click(`#account >> text=${button}`);
	await page.fill('dialog [name=name]', name);
	await page.fill('dialog [name=password]', password);
	await page.click('dialog >> button[type=submit]');
	await page.waitForSelector(`#account >> text=${name}`);
}

export const logIn = (page, name, password) => enter(page, 'Log in', name, password);
export const signUp = (page, name, password) => enter(page, 'Sign up', name, password);
