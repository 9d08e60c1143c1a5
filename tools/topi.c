/*
 * topi: the command table. `topi` alone lists the commands, `topi help COMMAND` explains one. A
 * command that is not in this build is not in the table.
 */
#include "command.h"
#include "commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
	{"init", cmd_init, "DIR", "make a data directory", ""},
	{"serve", cmd_serve,
		"DIR [--listen HOST:PORT] [--behind-proxy] [--people-per-address N]\n"
		"  [--worker auto|cpu|cuda|none] [--verbose]",
		"serve the pages, the volunteers and the workers",
		"Listens at 127.0.0.1:8080 until it is asked to end (SIGTERM, Ctrl-C). --worker is the\n"
		"worker that it keeps beside itself. --verbose writes a line a request to stderr. It\n"
		"speaks no TLS: put a reverse proxy in front where others than this network can ask, and\n"
		"say --behind-proxy: who asks is then the last entry of X-Forwarded-For. Limits of an\n"
		"address are for N people behind it (30).\n"},
	{"project", cmd_project,
		"add DIR FILE.json | list DIR | show DIR PROJECT | set DIR PROJECT FILE.json |\n"
		"  pages DIR PROJECT FOLDER",
		"make, list, print or change a project",
		"`show` prints the file that `add` takes. `set` takes any part of one: title,\n"
		"description, gap_s, model_px (long side of the renditions that models see, 448),\n"
		"camtrap (what Camtrap DP asks: contributors, samplingDesign, captureMethod, licenses,\n"
		"...) and survey (what is asked about each species: \"count\", \"young\", \"sex\",\n"
		"\"life_stage\": true, \"behaviours\": [words]) are replaced, taxa are changed by code or\n"
		"join the list; \"retired\": true takes one off the list, \"protected\": true keeps "
		"models\n"
		"from labelling with it. No taxon is ever removed, its id stays. A hotkey is one\n"
		"letter, or a digit from 1 to 9. titles, descriptions, a taxon's names ({\"fr\": text,\n"
		"...}), looks, confusions and the survey's behaviour_names are for volunteers\n"
		"(docs/operating.md).\n"
		"`pages` takes a folder in place of the one before, whole or not at all: guide.md,\n"
		"tutorial.md, guide/CODE.md and practice/CODE.md of a taxon, the same in other\n"
		"languages (guide.sw.md, guide/CODE.sw.md), and PNG, JPEG, WebP or SVG pictures:\n"
		"taxa/CODE.png stands in the grid, looks/LOOK/VALUE.png at a look, any other in a\n"
		"page, ![words](its/path.png).\n"},
	{"deployment", cmd_deployment, "list DIR PROJECT | set DIR PROJECT NAME OPTIONS",
		"list or correct deployments",
		"--latitude D, --longitude D   where it stood, in degrees (WGS 84)\n"
		"--utc-offset +HH:MM           the zone that the camera's clock was set to\n"
		"--clock-shift-s S             seconds to add to what the clock showed\n"
		"--holdout on|off              models are judged there, never trained\n"
		"--group GROUP                 certificates are by group; '' is the group of all others\n"
		"list says where people's answers differ from the model more than it expects (drift).\n"
		"A new offset or shift moves every photograph and capture event; readings are kept.\n"},
	{"policy", cmd_policy,
		"show DIR PROJECT | cards DIR PROJECT [--json] | set DIR PROJECT FILE.json [--dry-run "
		"[--json]]",
		"the rules a project decides by",
		"FILE holds the fields to change: alpha, alpha_blank, delta, tau, audit_tau, kappa,\n"
		"cap, cant_tell, min_answers, auto_label, auto_blank, common_gold, audit_rate, audits,\n"
		"expert_share, drift_delta, drift_rate, auto_weight, plant_first, plant_rate,\n"
		"plant_blank, plant_rare, blank_share, confirm_above, confirm_ends, confirm_blind,\n"
		"confirm_wrong, reveal, reveal_others, lease_s, refit_hour, protected_expert, costs (a\n"
		"list of [truth, decided, cost], each a taxon's code or kind:animal, kind:blank,\n"
		"kind:human, kind:vehicle; an ordinary mistake costs 1) (docs/consensus.md). Each\n"
		"change is a new version; every decision keeps the version that it was made under.\n"
		"--dry-run changes nothing: it tells, from a copy of the database in TMPDIR, how many\n"
		"subjects would be decided otherwise. cards sets confirm cards beside blind surveys:\n"
		"how often a right and a wrong guess is confirmed, and what an answer to each question\n"
		"is worth, in bits and bits a second.\n"},
	{"import", cmd_import,
		"DIR PROJECT PATH... [--manifest CSV] [--gap SECONDS] [--crop-bottom PX] [--utc-offset "
		"+HH:MM] [--link] [--json]",
		"take photographs in",
		"PATH is a folder (with all below it) or a JPEG file; the folders right below PATH are "
		"the\n"
		"deployments. --manifest names the files to take, with columns file, deployment, "
		"timestamp,\n"
		"event, latitude, longitude, label and any others; it is checked whole before anything is\n"
		"stored. --gap: photographs closer in time make one capture event (the project's gap_s).\n"
		"--crop-bottom cuts the camera's info strip from all renditions. --utc-offset is the zone "
		"of\n"
		"the cameras' clocks, asked for once a deployment. --link leaves the originals where they "
		"are.\n"
		"A file that cannot be taken is listed with its reason; the rest goes in (exit code 1).\n"
		"Importing the same folder again changes nothing.\n"},
	{"gold", cmd_gold,
		"draw DIR PROJECT --n N --purpose P [--by-class] | add DIR PROJECT FILE.csv | list DIR "
		"PROJECT",
		"subjects whose truth an expert gives",
		"draw puts N random open subjects into the expert queue; P is certify (never shown,\n"
		"never trained on: what certificates stand on), train-people or probe; --not-holdout\n"
		"leaves out the deployments that models are judged on; --seed S repeats a draw;\n"
		"--by-class takes as many of each class that the model says, for people to learn rare\n"
		"ones (not for certify). add reads the columns subject and label (a taxon's code), all\n"
		"rows or none; several rows of a subject are the species in it; what was not drawn\n"
		"becomes train-people gold.\n"},
	{"certificate", cmd_certificate,
		"list DIR PROJECT | show DIR PROJECT ID | check DIR PROJECT [ID], each with [--json]",
		"under which bounds the model labels alone",
		"list: each certificate (one a stratum: blank, common or other, and group of deployments)\n"
		"with its promise, the gold that it stands on, its audits and whether it was revoked; and\n"
		"how much gold each stratum has now. show: its classes, audits and deployments on\n"
		"probation too. check works every number out again from the tables and says ok or what\n"
		"differs (exit code 1). docs/consensus.md says what the figures promise.\n"},
	{"replay", cmd_replay, "DIR PROJECT [--json]",
		"whether every label follows from what is stored",
		"Derives each subject's counts and label again from its answers, verdicts, predictions "
		"and\n"
		"certificates, by the policy of its day, and says ok or which subjects differ (exit code\n"
		"1). It changes nothing. Posteriors of then are not computed again: skills have moved "
		"on.\n"},
	{"expert", cmd_expert, "list DIR PROJECT [--json]", "what waits for an expert, and why",
		"Reasons: cap (as many answers as the policy allows), cant_tell, out_of_reach (no further\n"
		"answers could settle it), audit (people and the model differ, or a share of where they "
		"do\n"
		"not), protected (the policy's protected_expert), flagged (as a person, or as offensive),\n"
		"gold. In the order in which they are handed out. The page does not tell experts why: it\n"
		"would sway them.\n"},
	{"worker", cmd_worker,
		"URL --token-file FILE [--device D] [--media DIR] [--name NAME] [--once] [--quiet]",
		"take predictions and trainings from a server",
		"FILE holds the token that `topi token add` printed. D is auto (the first card where it\n"
		"can be used, else the CPU), cpu, cuda, cuda:N or cuda:all. --media is the server's data\n"
		"directory where it is seen from here; else photographs come over HTTP. --name tells\n"
		"workers apart (host and process). --once ends when the server has no work left. SIGTERM\n"
		"ends it; a training goes on from there when a worker with the same cache takes it.\n"},
	{"predict", cmd_predict,
		"DIR PROJECT [--model MODEL[,MODEL...]] [--device D] [--queue] [--json]",
		"predict every subject that a model has not seen",
		"MODEL is a name or an id (the current one); several predict together, as `topi model\n"
		"ensemble` makes them. D is as for `topi worker`. --queue leaves the work to a running\n"
		"server's workers.\n"},
	{"train", cmd_train,
		"DIR PROJECT [--arch ARCH] [--from MODEL|FILE] [--mode head|full] [--epochs N] [--seed N]\n"
		"  [--recipe FILE.json] [--device D] [--queue] [--json]",
		"train a candidate model on the project's labels",
		"--from names a model of the project or a safetensors file of a ResNet to start from; "
		"then\n"
		"the last layer alone is trained (--mode head). Without it the whole net is, from scratch\n"
		"(--arch resnet18). The candidate is judged on deployments that it was not trained on.\n"
		"--recipe names a JSON object with what is to differ from the default recipe: batch, "
		"rule,\n"
		"rate, momentum, beta2, weight_decay, schedule, warm_up, step_every, step_factor,\n"
		"label_smoothing, logit_adjust, mixup, clip, average, patience, norm_frozen, layer_decay,\n"
		"frozen_stages, relative, blend, precision, l2 (docs/model.md says what each\n"
		"does and what helped).\n"
		"Started by torchrun, mpirun or srun, every process is a rank of one training. D is as\n"
		"for `topi worker`. --queue leaves the work to a running server's workers.\n"},
	{"model", cmd_model,
		"list DIR PROJECT | show DIR PROJECT MODEL | promote DIR PROJECT MODEL | rollback DIR "
		"PROJECT |\n"
		"  import DIR PROJECT FILE [--name NAME] [--backbone] [--focus] | export DIR PROJECT MODEL "
		"--out "
		"FILE |\n"
		"  ensemble DIR PROJECT MODEL,MODEL... [--name NAME]; each with [--json]",
		"the models of a project, and which one is current",
		"`promote` makes a model the current one and queues its predictions; `rollback` goes back "
		"to\n"
		"the one before. `import` takes a safetensors file whose classes are codes of the "
		"project's\n"
		"taxa, or, without class names or with --backbone, as a backbone to train heads on; with\n"
		"--focus it looks at the part of a photograph that differs from its camera's "
		"background.\n"
		"`ensemble` makes one model of several of the same classes: its logits are the mean of "
		"theirs.\n"
		"It is named like m1+m2 where NAME is not given, and is no model to train from.\n"},
	{"simulate", cmd_simulate,
		"[--seed S] [--subjects N] [--repetitions N] [--new-site] [--clickers] [--bot]\n"
		"  [--svg OUT] [--json] | --stream FILE --tau T [--crowd-only] [--labels OUT] [--json]",
		"what each labelling policy costs and gets right",
		"Sets every policy to work on one simulated project of N subjects (100000) and prints\n"
		"answers a subject (gold and audits counted), accuracy, promised and actual risk, and how\n"
		"often a certificate's promise breaks over N repetitions (1000); --svg plots answers "
		"against\n"
		"accuracy. --new-site: the model is worse and surer of itself; --clickers: 15 % of the\n"
		"volunteers answer at random; --bot: an account that says \"nothing here\" to all.\n"
		"With --stream it replays a recorded project in the reference's format, T the risk at "
		"which\n"
		"a subject retires. --crowd-only ignores the model's predictions; --labels writes\n"
		"label,answers,risk a subject to OUT.\n"},
	{"consensus", cmd_consensus,
		"DIR PROJECT [--refit [--dry-run] [--cold]] [--json] |\n"
		"  --answers FILE.csv [--prior CSV] [--gold CSV] [--out CSV] [--volunteers CSV]\n"
		"  [--method ours|majority|dawid-skene] [--refit] [--json]",
		"where a project's labels stand, its refit; labels for any crowd's answers",
		"Of a project: subjects by who decided, the error promised and measured, kappa, the last\n"
		"refit. --refit learns everybody's skill anew from all answers and decides again what "
		"that\n"
		"changes; a server may run meanwhile (it does the same nightly, policy refit_hour).\n"
		"--dry-run changes nothing: it tells, from a copy of the database in TMPDIR, which labels\n"
		"would change. --cold starts from the votes, not from the skills in force. A refit that "
		"was\n"
		"broken off is finished first.\n"
		"Without a project:\n"
		"FILE.csv has the columns task, worker and answer (or label); --prior task, class and\n"
		"probability (a task's sum to 1); --gold task and truth. Other columns are passed over. A\n"
		"worker's second answer to a task is dropped. --out gets task,label,probability,\n"
		"--volunteers worker,answers,right,lambda,accuracy and its 95 % interval; a file that is\n"
		"there is replaced. Without them only a summary is printed. Gold tasks keep their truth;\n"
		"20 of them fit how much answers repeat each other. --method ours, the default, always\n"
		"fits all skills anew (--refit says so); docs/consensus.md has all three.\n"},
	{"export", cmd_export,
		"DIR PROJECT --format csv|classifications|camtrap-dp --out PATH [--json]",
		"write labels, answers or a Camtrap DP package",
		"csv: one row a subject (or a species where its label names several): its label, who\n"
		"decided, on what, counts and behaviours. classifications: one row an answer (or a\n"
		"species of it), volunteers by number only. Both write PATH.json beside PATH: rows, "
		"SHA-256.\n"
		"camtrap-dp: a folder that holds to Camtrap DP 1.0.2; what the standard requires and the\n"
		"project lacks is named.\n"
		"PATH must not exist; nothing is left behind when an export fails.\n"},
	{"infer", cmd_infer,
		"MODEL[,MODEL...] FILE... [--device D] [--precision single|half] [--top N|--raw]\n"
		"  [--classes FILE] [--cam OUT.jpg [--class NAME]]",
		"what a model sees on JPEG files, one JSON line each",
		"MODEL is a file that topi trained or a ResNet-18, -34, -50, -101 or -152 of torchvision\n"
		"or timm; of several with the same classes the mean of the logits counts. --classes\n"
		"names its classes, one a line. --top N prints the N likeliest (5), of every task where\n"
		"the model has several, --raw the logits. --cam draws where in one FILE the evidence for\n"
		"NAME (the likeliest) lies. A model that looks at what differs from a camera's background\n"
		"sees whole pictures here: it knows of no camera. D is as for `topi worker`. A bad file\n"
		"gets a line with \"error\".\n"},
	{"backup", cmd_backup, "DIR FILE", "a consistent copy of the database while it is served",
		"FILE must not exist. The database is checked first.\n"},
	{"user", cmd_user,
		"add DIR NAME [--admin] [--role ROLE --project SLUG] [--password-file FILE] | list DIR |\n"
		"  role DIR NAME --role ROLE --project SLUG|--admin [--remove] | passwd DIR NAME "
		"[--password-file FILE] |\n"
		"  invite DIR NAME",
		"accounts, roles, passwords",
		"A password is the first line of stdin or of FILE, 8 to 200 bytes. ROLE is admin,\n"
		"researcher, expert or moderator of a project; --admin is of everything. A new password\n"
		"ends every session. `invite` prints the end of a link, to be put after the server's\n"
		"address, at which the person sets a new password: once, within 24 hours; only its hash "
		"is\n"
		"kept.\n"},
	{"token", cmd_token, "add DIR NAME | list DIR | revoke DIR NAME", "keys for workers",
		"`add` prints the token, once: only its hash is kept.\n"},
	{0},
};

static const struct command *find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static void list(FILE *out)
{
	fputs("topi " TOPI_VERSION ": camera-trap photographs in, labels one can trust out\n\n"
		  "  topi COMMAND ARGUMENTS...\n\n",
		out);
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-12s %s\n", c->name, c->summary);
	fputs("\n`topi help COMMAND` explains one. Exit codes: 0 done, 1 failed, 2 usage.\n", out);
}

static int explain(const char *name)
{
	const struct command *c = find(name);
	if (!c)
		return cmd_usage("there is no command '%.40s'", name);
	printf("topi %s %s\n\n%s\n", c->name, c->usage, c->summary);
	if (c->help[0])
		printf("\n%s", c->help);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		list(stdout);
		return EXIT_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("topi " TOPI_VERSION);
		return EXIT_DONE;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
		strcmp(argv[1], "-h") == 0) {
		if (argc > 2)
			return explain(argv[2]);
		list(stdout);
		return EXIT_DONE;
	}
	signal(SIGXFSZ, SIG_IGN); /* a file over a limit is an error to report, not the end */
	const struct command *c = find(argv[1]);
	if (!c)
		return cmd_usage("there is no command '%.40s'", argv[1]);
	if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
		return explain(argv[1]);
	argv[1] = argv[0] = (char[]){"topi"}; /* getopt's messages begin with it */
	return c->run(argc - 1, argv + 1);
}
