// SPDX-License-Identifier: MIT
/* Reads the file behind "seamlab answers". Never prints, never exits. Layer: scenario. */
#include "scenario/answers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "scenario/reader.h"

#define ID_MAX     7
#define CLAIMS_MAX 256u

/* Writes a copy of the scalar @n to *out. */
static int get_text(struct scn_reader *r, const struct scn_node *n, const char *what, char **out)
{
	struct scn_shown shown;

	if (n->kind != SCN_NODE_SCALAR || !n->size)
		return scn_fail(r, n, "found %s; expected %s", scn_show(&shown, n), what);
	*out = strndup(n->text, n->size);
	return *out ? 0 : scn_no_memory(r);
}

/* "holds", or "violated(KIND)". */
static int read_shows(struct scn_reader *r, const struct scn_node *n, struct answers_evidence *e)
{
	static const char violated[] = "violated(";
	const size_t head = sizeof(violated) - 1;
	struct scn_names names = { .used = 0 };
	struct scn_shown shown;

	if (scn_node_is(n, "holds"))
		return 0;
	e->violated = true;
	for (u32 i = 0; i < SL_VIOLATION_COUNT; i++) {
		const char *name = sl_violation_name((enum sl_violation)i);
		size_t size = strlen(name);

		if (n->kind == SCN_NODE_SCALAR && n->size == head + size + 1 &&
		    !memcmp(n->text, violated, head) && !memcmp(n->text + head, name, size) &&
		    n->text[head + size] == ')') {
			e->kind = strdup(name);
			return e->kind ? 0 : scn_no_memory(r);
		}
		scn_names_add(&names, name);
	}
	return scn_fail(r, n, "found %s; expected holds, or violated(KIND) with one of %s",
			scn_show(&shown, n), names.text);
}

/* The file of an evidence stands in the folder of the file that names it, or is named from there. */
static int find_path(struct scn_reader *r, const char *path, struct answers_evidence *e)
{
	const char *slash = strrchr(path, '/'), *file = e->file;
	size_t folder = file[0] != '/' && slash ? (size_t)(slash - path) + 1 : 0;

	/* "answers/../locks/x.yaml" is "locks/x.yaml". */
	while (folder > 1 && !strncmp(file, "../", 3)) {
		size_t up = folder - 1;

		while (up && path[up - 1] != '/')
			up--;
		if (folder - up <= 3 && path[up] == '.')
			break;
		folder = up;
		file += 3;
	}
	if (asprintf(&e->path, "%.*s%s", (int)folder, path, file) >= 0)
		return 0;
	e->path = NULL;
	return scn_no_memory(r);
}

static int read_evidence(struct scn_reader *r, const struct scn_node *n, const char *path,
			 struct answers_evidence *e)
{
	enum { FILE_KEY, SHOWS, SAYS, BOUNDS, RELEASE };
	struct scn_key keys[] = {
		[FILE_KEY] = { .name = "file", .required = "file: SCENARIO" },
		[SHOWS] = { .name = "shows", .required = "shows: VERDICT" },
		[SAYS] = { .name = "says", .required = "says: TEXT" },
		[BOUNDS] = { .name = "bounds" },
		[RELEASE] = { .name = "release" },
	};
	int ret = scn_get_map(r, n, keys, ARRAY_SIZE(keys));

	if (!ret)
		ret = get_text(r, keys[FILE_KEY].value, "a scenario file", &e->file);
	if (!ret)
		ret = find_path(r, path, e);
	if (!ret)
		ret = read_shows(r, keys[SHOWS].value, e);
	if (!ret)
		ret = get_text(r, keys[SAYS].value, "what the scenario shows", &e->says);
	if (!ret && keys[BOUNDS].value)
		ret = scn_get_bool(r, keys[BOUNDS].value, &e->bounds);
	e->one_release = keys[RELEASE].value;
	if (!ret && e->one_release)
		ret = scn_get_release(r, keys[RELEASE].value, &e->release);
	return ret;
}

static int read_id(struct scn_reader *r, const struct scn_node *n, const struct answers *a,
		   struct answers_claim *c)
{
	struct scn_shown shown;
	int ret = get_text(r, n, "the claim's id, such as M2", &c->id);
	bool good = !ret && n->size <= ID_MAX;

	for (size_t i = 0; good && i < n->size; i++)
		good = (c->id[i] >= 'A' && c->id[i] <= 'Z') || (c->id[i] >= '0' && c->id[i] <= '9');
	if (!ret && !good)
		return scn_fail(r, n,
				"found %s; expected an id of up to %d letters A to Z and digits",
				scn_show(&shown, n), ID_MAX);
	for (u32 i = 0; !ret && i < a->count; i++)
		if (a->claim[i].id && &a->claim[i] != c && !strcmp(a->claim[i].id, c->id))
			return scn_fail(r, n, "found claim '%s' again; expected it once", c->id);
	return ret;
}

static int read_claim(struct scn_reader *r, const struct scn_node *n, struct answers *a,
		      struct answers_claim *c)
{
	enum { CLAIM, SAYS, ASKS, ANSWER, EVIDENCE };
	struct scn_key keys[] = {
		[CLAIM] = { .name = "claim", .required = "claim: ID" },
		[SAYS] = { .name = "says" },
		[ASKS] = { .name = "asks" },
		[ANSWER] = { .name = "answer", .required = "answer: TEXT" },
		[EVIDENCE] = { .name = "evidence", .required = "evidence: [...]" },
	};
	const struct scn_node *list;
	struct scn_shown shown;
	int ret = scn_get_map(r, n, keys, ARRAY_SIZE(keys));

	if (!ret)
		ret = read_id(r, keys[CLAIM].value, a, c);
	if (!ret && !keys[SAYS].value == !keys[ASKS].value)
		ret = scn_fail(r, n, "found a claim with %s; expected one of 'says' and 'asks'",
			       keys[SAYS].value ? "'says' and 'asks'"
						: "neither 'says' nor 'asks'");
	if (ret)
		return ret;
	c->question = keys[ASKS].value;
	ret = get_text(r, keys[c->question ? ASKS : SAYS].value, "a sentence", &c->text);
	if (!ret)
		ret = get_text(r, keys[ANSWER].value, "what to take home", &c->answer);
	list = keys[EVIDENCE].value;
	if (!ret && (list->kind != SCN_NODE_LIST || !list->count))
		ret = scn_fail(r, list, "found %s; expected a list of scenarios",
			       scn_show(&shown, list));
	for (const struct scn_node *e = ret ? NULL : list->first; e && !ret; e = e->next) {
		if (c->count == ANSWERS_EVIDENCE_MAX)
			return scn_fail(r, e, "found more than %d scenarios; expected fewer",
					ANSWERS_EVIDENCE_MAX);
		ret = read_evidence(r, e, a->path, &c->evidence[c->count++]);
	}
	return ret;
}

static int read_root(struct scn_reader *r, const struct scn_node *root, struct answers *a)
{
	struct scn_shown shown;
	int ret = 0;

	if (root->kind != SCN_NODE_LIST || !root->count || root->count > CLAIMS_MAX)
		return scn_fail(r, root, "found %s; expected a list of 1 to %u claims",
				scn_show(&shown, root), CLAIMS_MAX);
	a->claim = calloc(root->count, sizeof(*a->claim));
	if (!a->claim)
		return scn_no_memory(r);
	for (const struct scn_node *n = root->first; n && !ret; n = n->next)
		ret = read_claim(r, n, a, &a->claim[a->count++]);
	return ret;
}

int answers_read(const char *path, struct answers **out, struct sl_err *err)
{
	struct scn_reader r = { .path = path, .err = err };
	struct answers *a = calloc(1, sizeof(*a));
	struct scn_node *root;
	char *text = NULL;
	int ret = -ENOMEM;

	*out = NULL;
	if (a)
		a->path = strdup(path);
	if (!a || !a->path)
		ret = sl_err_set(err, ret, "out of memory");
	else
		ret = scenario_read_bytes(path, &text, &r.size, err);
	r.text = text;
	if (!ret)
		ret = scn_tree_build(&r, text, r.size, &root);
	if (!ret)
		ret = read_root(&r, root, a);
	scn_tree_free(&r);
	free(text);
	if (ret)
		answers_free(a);
	else
		*out = a;
	return ret;
}

void answers_free(struct answers *a)
{
	if (!a)
		return;
	for (u32 i = 0; i < a->count; i++) {
		struct answers_claim *c = &a->claim[i];

		for (u32 j = 0; j < c->count; j++) {
			free(c->evidence[j].file);
			free(c->evidence[j].path);
			free(c->evidence[j].says);
			free(c->evidence[j].kind);
		}
		free(c->id);
		free(c->text);
		free(c->answer);
	}
	free(a->claim);
	free(a->path);
	free(a);
}
