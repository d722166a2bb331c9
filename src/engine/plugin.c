// SPDX-License-Identifier: MIT
/* Policies in shared objects. Layer: engine. */
#include "engine/plugin.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <seamlab/policy.h>

/* Contexts that are remembered: far more than sites, statuses and attempts make up. */
#define MEMO_MAX (1u << 14)
#define TEXT_MAX 600

struct memo {
	bool used;
	enum policy_question what;
	struct sl_policy_context c;
	u32 answer;
};

struct plugin {
	struct policy_hook hook; /* the first member: asked with a pointer to it */
	const struct sl_policy *policy;
	void *handle;
	char *path;
	u64 hash;
	char base[HOST_WORD_MAX];
	pthread_mutex_t lock;
	char wrong[TEXT_MAX]; /* the first thing that was */
	u32 memos;
	struct memo memo[MEMO_MAX * 2];
};

/* ---- crashes --------------------------------------------------------------------------------- */

static const int caught[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static struct {
	pthread_mutex_t lock;
	u32 users;
	struct sigaction before[ARRAY_SIZE(caught)];
} handlers = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Thread_local struct {
	bool inside;
	sigjmp_buf back;
} guard;

static void on_crash(int sig)
{
	if (guard.inside) {
		guard.inside = false;
		siglongjmp(guard.back, sig);
	}
	/* Somebody else's: as if nobody had been here. */
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		if (caught[i] == sig)
			sigaction(sig, &handlers.before[i], NULL);
	raise(sig);
}

static void handlers_begin(void)
{
	/* Not deferred: who jumps out of a handler does not unblock its signal. */
	struct sigaction sa = { .sa_handler = on_crash, .sa_flags = SA_NODEFER };

	pthread_mutex_lock(&handlers.lock);
	for (size_t i = 0; i < ARRAY_SIZE(caught) && !handlers.users; i++)
		sigaction(caught[i], &sa, &handlers.before[i]);
	handlers.users++;
	pthread_mutex_unlock(&handlers.lock);
}

static void handlers_end(void)
{
	pthread_mutex_lock(&handlers.lock);
	handlers.users--;
	for (size_t i = 0; i < ARRAY_SIZE(caught) && !handlers.users; i++)
		sigaction(caught[i], &handlers.before[i], NULL);
	pthread_mutex_unlock(&handlers.lock);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static const char *const hook_names[POLICY_QUESTIONS] = {
	[POLICY_ON_BUSY] = "on_busy",
	[POLICY_ON_FAULT] = "on_fault",
	[POLICY_ON_ENTER] = "on_enter",
};

static uint32_t (*hook_of(const struct plugin *p,
			  enum policy_question what))(const struct sl_policy_context *c)
{
	switch (what) {
	case POLICY_ON_BUSY:
		return p->policy->on_busy;
	case POLICY_ON_FAULT:
		return p->policy->on_fault;
	case POLICY_ON_ENTER:
	case POLICY_QUESTIONS:
	default:
		return p->policy->on_enter;
	}
}

static const char *const lock_names[] = { "not held", "held for reading", "held for writing" };

/* Keeps the first complaint. @p->lock held. */
SL_PRINTF(4, 5)
static void complain(struct plugin *p, enum policy_question what, const struct sl_policy_context *c,
		     const char *fmt, ...)
{
	char text[240];
	va_list ap;

	if (p->wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(p->wrong, sizeof(p->wrong),
		 "%s: policy %s: %s at %s (%s, status 0x%016llx, attempt %u, mmu_lock %s%s%s) %s",
		 p->path, p->policy->name, hook_names[what], c->site_name, c->leaf_name,
		 (unsigned long long)c->status, c->attempt, lock_names[c->mmu_lock],
		 c->kept_out ? ", vCPUs kept out" : "", c->zero_step ? ", zero-step" : "", text);
}

/* One call. False: it crashed. */
static bool call(struct plugin *p, enum policy_question what, const struct sl_policy_context *c,
		 u32 *answer)
{
	/* What a hook does to its context nobody sees. */
	struct sl_policy_context copy = *c;
	int sig = sigsetjmp(guard.back, 0);

	if (sig) {
		complain(p, what, c, "crashed: %s", strsignal(sig));
		return false;
	}
	guard.inside = true;
	*answer = hook_of(p, what)(&copy);
	guard.inside = false;
	return true;
}

static const char *const answer_names[POLICY_QUESTIONS][9] = {
	[POLICY_ON_BUSY] = { "table", "return-busy", "local-retry", "kick-once",
			     "kick-without-keep-out", "keep-out-without-kick", "must-succeed",
			     "blind-N", "endless" },
	[POLICY_ON_FAULT] = { "table", "local", "local-without-exits", "guest" },
	[POLICY_ON_ENTER] = { "table", "run-loop", "re-enter", "fatal", "kick-all" },
};

static const char *answer_name(enum policy_question what, u32 answer)
{
	const char *name = NULL;

	if ((answer & 0xFF) < ARRAY_SIZE(answer_names[0]))
		name = answer_names[what][answer & 0xFF];
	return name ? name : "nothing that is known";
}

static void list_actions(u32 mask, char *text, size_t size)
{
	size_t n = 0;

	for (u32 i = 0; i < ARRAY_SIZE(answer_names[0]); i++)
		if (mask >> i & 1)
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
					      answer_names[POLICY_ON_BUSY][i]);
}

/* Does the answer mean anything here? */
static bool is_sound(struct plugin *p, enum policy_question what, const struct sl_policy_context *c,
		     u32 answer)
{
	u32 n = answer >> 8;
	char names[160];
	bool known = (answer & 0xFF) < ARRAY_SIZE(answer_names[0]) &&
		     answer_names[what][answer & 0xFF] != NULL;

	if (known && what == POLICY_ON_BUSY && (answer & 0xFF) == SL_ACTION_BLIND) {
		known = n >= 1 && n <= SL_POLICY_ATTEMPT_MAX;
		if (!known) {
			complain(p, what, c, "returned blind-%u; expected N from 1 to %u", n,
				 SL_POLICY_ATTEMPT_MAX);
			return false;
		}
		n = 0;
	}
	if (known && !n && (what != POLICY_ON_BUSY || (c->actions >> (answer & 0xFF) & 1)))
		return true;
	if (what != POLICY_ON_BUSY) {
		complain(p, what, c, "returned 0x%x; expected a value of its enum in policy.h",
			 answer);
		return false;
	}
	list_actions(c->actions, names, sizeof(names));
	complain(p, what, c, "returned 0x%x, %s; expected one of %s", answer,
		 n ? "with bits that mean nothing" : answer_name(what, answer), names);
	return false;
}

static bool same_context(const struct sl_policy_context *a, const struct sl_policy_context *b)
{
	return a->site == b->site && a->status == b->status && a->attempt == b->attempt &&
	       a->mmu_lock == b->mmu_lock && a->kept_out == b->kept_out &&
	       a->zero_step == b->zero_step;
}

/* The place of the context in the table of answers; NULL: it is full. */
static struct memo *memo_find(struct plugin *p, enum policy_question what,
			      const struct sl_policy_context *c)
{
	const u64 key[] = { c->status, (u64)what << 56 | (u64)c->site << 40 |
					       (u64)c->mmu_lock << 34 | (u64)c->kept_out << 33 |
					       (u64)c->zero_step << 32 | c->attempt };
	u32 at = (u32)XXH3_64bits(key, sizeof(key)) % ARRAY_SIZE(p->memo);

	while (p->memo[at].used && (p->memo[at].what != what || !same_context(&p->memo[at].c, c)))
		at = (at + 1) % ARRAY_SIZE(p->memo);
	return p->memo[at].used || p->memos < MEMO_MAX ? &p->memo[at] : NULL;
}

static void compare(struct plugin *p, enum policy_question what, const struct sl_policy_context *c,
		    u32 first, u32 now)
{
	if (first != now)
		complain(p, what, c,
			 "is not deterministic: it returned 0x%x (%s), and now 0x%x (%s)", first,
			 answer_name(what, first), now, answer_name(what, now));
}

static void ask_locked(struct plugin *p, enum policy_question what,
		       const struct sl_policy_context *c, u32 *answer)
{
	struct memo *m;
	u32 again;

	if (!call(p, what, c, answer) || !is_sound(p, what, c, *answer) ||
	    !call(p, what, c, &again))
		return;
	compare(p, what, c, *answer, again);
	m = memo_find(p, what, c);
	if (!m)
		return;
	if (m->used) {
		compare(p, what, c, m->answer, *answer);
		return;
	}
	*m = (struct memo){ .used = true, .what = what, .c = *c, .answer = *answer };
	p->memos++;
}

static const char *ask(const struct policy_hook *hook, enum policy_question what,
		       const struct sl_policy_context *c, u32 *answer)
{
	struct plugin *p = (struct plugin *)(uintptr_t)hook;
	const char *wrong;

	pthread_mutex_lock(&p->lock);
	if (!p->wrong[0])
		ask_locked(p, what, c, answer);
	wrong = p->wrong[0] ? p->wrong : NULL;
	pthread_mutex_unlock(&p->lock);
	return wrong;
}

int plugin_check(struct plugin *p, struct sl_err *err)
{
	if (!p)
		return 0;
	for (u32 i = 0; i < ARRAY_SIZE(p->memo) && !p->wrong[0]; i++) {
		const struct memo *m = &p->memo[i];
		u32 now;

		if (m->used && call(p, m->what, &m->c, &now))
			compare(p, m->what, &m->c, m->answer, now);
	}
	return p->wrong[0] ? sl_err_set(err, -EINVAL, "%s", p->wrong) : 0;
}

/* ---- loading --------------------------------------------------------------------------------- */

int plugin_file_hash(const char *path, u64 *hash, struct sl_err *err)
{
	XXH3_state_t *state = XXH3_createState();
	FILE *f = fopen(path, "rb");
	char block[4096];
	size_t n;
	int rc = 0;

	if (!state || !f) {
		rc = f ? -ENOMEM : -errno;
		sl_err_set(err, rc, "%s: cannot open the policy: %s", path, strerror(-rc));
		goto out;
	}
	XXH3_64bits_reset(state);
	while ((n = fread(block, 1, sizeof(block), f)))
		XXH3_64bits_update(state, block, n);
	*hash = XXH3_64bits_digest(state);
	if (ferror(f))
		rc = sl_err_set(err, -EIO, "%s: cannot read the policy", path);
out:
	if (f)
		fclose(f);
	XXH3_freeState(state);
	return rc;
}

static bool is_name(const char *name)
{
	size_t n = 0;

	for (; name && name[n]; n++)
		if (n + 1 == HOST_WORD_MAX ||
		    !(isalnum((unsigned char)name[n]) || strchr("-._", name[n])))
			return false;
	return n != 0;
}

static int check_head(const struct plugin *p, struct sl_err *err)
{
	const struct sl_policy *q = p->policy;

	if (q->magic != SL_POLICY_MAGIC)
		return sl_err_set(err, -EINVAL,
				  "%s: seamlab_policy: found magic 0x%08x; expected 0x%08x, "
				  "SL_POLICY_MAGIC of seamlab/policy.h",
				  p->path, q->magic, SL_POLICY_MAGIC);
	if (q->version != SL_POLICY_VERSION)
		return sl_err_set(
			err, -EINVAL,
			"%s: found a policy of version %u; this program takes version %u: "
			"expected it built against its seamlab/policy.h",
			p->path, q->version, SL_POLICY_VERSION);
	if (q->size != sizeof(*q) || q->flags)
		return sl_err_set(
			err, -EINVAL,
			"%s: seamlab_policy: found size %u and flags 0x%x; expected %zu and 0x0",
			p->path, q->size, q->flags, sizeof(*q));
	if (!is_name(q->name))
		return sl_err_set(
			err, -EINVAL,
			"%s: seamlab_policy: found no name, or one that cannot be used; expected "
			"1 to %d letters, digits, '-', '.' or '_'",
			p->path, HOST_WORD_MAX - 1);
	return 0;
}

static int set_rules(struct plugin *p, struct host_policy *rules, struct sl_err *err)
{
	const struct sl_policy *q = p->policy;
	const char *base = q->base ? q->base : host_policy_name(0);

	if (host_policy_init(rules, base, strlen(base)))
		return sl_err_set(
			err, -EINVAL,
			"%s: seamlab_policy: found base '%s'; expected a policy that seamlab "
			"policies lists",
			p->path, base);
	snprintf(p->base, sizeof(p->base), "%s", base);
	for (const char *const *set = q->set; set && *set; set++) {
		const char *eq = strchr(*set, '=');
		int at = eq ? host_setting_find(*set, (size_t)(eq - *set)) : -ENOENT;

		if (at < 0 || host_policy_set(rules, (u32)at, eq + 1, strlen(eq + 1)))
			return sl_err_set(
				err, -EINVAL,
				"%s: seamlab_policy: found '%s' in set; expected SWITCH=VALUE "
				"as seamlab policies lists them",
				p->path, *set);
	}
	snprintf(rules->name, sizeof(rules->name), "%s", q->name);
	return 0;
}

static int open_object(struct plugin *p, struct sl_err *err)
{
	p->handle = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
	if (!p->handle)
		return sl_err_set(err, -EINVAL, "%s: cannot be loaded as a policy: %s", p->path,
				  dlerror());
	p->policy = dlsym(p->handle, "seamlab_policy");
	if (!p->policy)
		return sl_err_set(
			err, -EINVAL,
			"%s: found no symbol seamlab_policy; expected a shared object built "
			"against seamlab/policy.h",
			p->path);
	return check_head(p, err);
}

static int load(struct plugin *p, struct scenario *s, struct sl_err *err)
{
	struct host_policy rules;
	int rc = plugin_file_hash(p->path, &p->hash, err);

	if (!rc && s->plugin_hash && s->plugin_hash != p->hash)
		return sl_err_set(
			err, -EINVAL,
			"%s: found a plug-in that has changed (hash %016llx); expected the one "
			"that was used (hash %016llx)",
			p->path, (unsigned long long)p->hash, (unsigned long long)s->plugin_hash);
	if (!rc)
		rc = open_object(p, err);
	if (!rc)
		rc = set_rules(p, &rules, err);
	if (rc)
		return rc;
	for (u32 i = 0; i < s->set_count; i++)
		if (host_policy_set(&rules, s->set[i].setting, s->set[i].value,
				    strlen(s->set[i].value)))
			return sl_err_set(err, -EINVAL, "%s: bad setting", s->path);
	p->hook.ask = ask;
	for (u32 i = 0; i < POLICY_QUESTIONS; i++)
		p->hook.asks[i] = hook_of(p, (enum policy_question)i) != NULL;
	rules.hook = &p->hook;
	s->rules = rules;
	return 0;
}

int plugin_attach(struct scenario *s, struct plugin **out, struct sl_err *err)
{
	struct plugin *p;
	int rc;

	*out = NULL;
	if (!s->plugin)
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p || !(p->path = strdup(s->plugin))) {
		free(p);
		return sl_err_set(err, -ENOMEM, "out of memory");
	}
	pthread_mutex_init(&p->lock, NULL);
	handlers_begin();
	rc = load(p, s, err);
	if (rc)
		plugin_free(p);
	else
		*out = p;
	return rc;
}

void plugin_free(struct plugin *p)
{
	if (!p)
		return;
	handlers_end();
	if (p->handle)
		dlclose(p->handle);
	pthread_mutex_destroy(&p->lock);
	free(p->path);
	free(p);
}

const char *plugin_path(const struct plugin *p)
{
	return p->path;
}

u64 plugin_hash(const struct plugin *p)
{
	return p->hash;
}

const char *plugin_base(const struct plugin *p)
{
	return p->base;
}

bool plugin_answers(const struct plugin *p, enum policy_question what)
{
	return p->hook.asks[what];
}

const char *plugin_title(const struct plugin *p)
{
	return p->policy->title ? p->policy->title : "";
}
