// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plan for sending all snapshots: who is related, who may be a parent, and
 * which of these makes the smallest stream.  The names are in send-plan-names.c.
 */
#include "kernel-shared/send-plan.h"

#include <errno.h>

#include "common/message.h"
#include "common/progress.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/namei.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/send-plan-names.h"

#define NO_STEP		BTRFS_SEND_NO_PARENT
/* Relatives of each kind that are tried. */
#define NR_NEAREST	3U
/* How far up the next ancestor that is sent is looked for. */
#define MAX_ANCESTORS	64U
#define MAX_CANDIDATES	(1 + 2 * NR_NEAREST)

/* A subvolume as the root tree tells of it, also one that is not sent. */
struct node {
	u64 id;
	u64 ctransid;
	u64 flags;
	bool deleted;
	u8 uuid[BTRFS_UUID_SIZE];
	u8 parent_uuid[BTRFS_UUID_SIZE];
	u32 up;			/* towards the one that stands for the family; itself: the one */
	u32 step;		/* NO_STEP: not sent */
	bool ambiguous;		/* a receiver could take it for another */
};

/* A UUID, and who has it as its own or as its parent's. */
struct mention {
	u8 uuid[BTRFS_UUID_SIZE];
	bool is_own;
	u32 node;
};

struct planner {
	struct btrfs_fs_info *fs_info;
	const struct btrfs_send_plan_args *args;
	struct btrfs_send_plan *plan;
	struct vec nodes;	/* of struct node */
	struct vec mentions;	/* of struct mention, sorted */
	struct vec order;	/* of u32: the node of each step */
};

static bool is_null_uuid(const u8 *uuid)
{
	static const u8 none[BTRFS_UUID_SIZE];

	return memcmp(uuid, none, sizeof(none)) == 0;
}

static struct node *node_at(const struct planner *planner, u32 index)
{
	return vec_at(&planner->nodes, index);
}

static struct node *node_of_step(const struct planner *planner, u32 step)
{
	return node_at(planner, *(u32 *)vec_at(&planner->order, step));
}

/* ---- reading ---- */

static int add_node(struct btrfs_root *root __unused, const struct extent_buffer *leaf, u32 slot,
		    const struct btrfs_key *key, void *ctx)
{
	struct planner *planner = ctx;
	struct btrfs_root_item item;
	struct node *node;

	if (key->type != BTRFS_ROOT_ITEM_KEY || !btrfs_is_fstree(key->objectid))
		return 0;
	if (planner->nodes.nr == NO_STEP)
		return -EOVERFLOW;
	btrfs_read_root_item(leaf, slot, &item);
	node = vec_push(&planner->nodes);
	if (!node)
		return -ENOMEM;
	node->id = key->objectid;
	node->ctransid = le64toh(item.ctransid);
	node->flags = le64toh(item.flags);
	node->deleted = item.refs == 0 || (node->flags & BTRFS_ROOT_SUBVOL_DEAD);
	memcpy(node->uuid, item.uuid, sizeof(node->uuid));
	memcpy(node->parent_uuid, item.parent_uuid, sizeof(node->parent_uuid));
	node->up = (u32)planner->nodes.nr - 1;
	node->step = NO_STEP;
	return 0;
}

static int read_nodes(struct planner *planner)
{
	const struct btrfs_key first = { .objectid = BTRFS_FS_TREE_OBJECTID };
	const struct btrfs_key last = { BTRFS_LAST_FREE_OBJECTID, UINT8_MAX, UINT64_MAX };

	return btrfs_for_each_item(planner->fs_info->tree_root, &first, &last, add_node, planner);
}

/* ---- families ---- */

static u32 family_of(const struct planner *planner, u32 index)
{
	struct node *node = node_at(planner, index);

	while (node->up != index) {
		/* Whoever comes this way next has it shorter. */
		node->up = node_at(planner, node->up)->up;
		index = node->up;
		node = node_at(planner, index);
	}
	return index;
}

static int add_mention(struct planner *planner, const u8 *uuid, bool is_own, u32 node)
{
	struct mention mention = { .is_own = is_own, .node = node };

	if (is_null_uuid(uuid))
		return 0;
	memcpy(mention.uuid, uuid, sizeof(mention.uuid));
	return vec_push_copy(&planner->mentions, &mention);
}

/* By UUID, the owner first. */
static int compare_mentions(const void *pa, const void *pb)
{
	const struct mention *a = pa, *b = pb;
	int cmp = memcmp(a->uuid, b->uuid, sizeof(a->uuid));

	if (cmp)
		return cmp;
	if (a->is_own != b->is_own)
		return a->is_own ? -1 : 1;
	return a->node < b->node ? -1 : a->node > b->node;
}

/* All who mention the same UUID are relatives, also where its owner is gone. */
static int find_families(struct planner *planner)
{
	const struct mention *mention, *last = NULL;
	struct node *node;
	int ret = 0;

	for (u32 i = 0; i < planner->nodes.nr && !ret; i++) {
		node = node_at(planner, i);
		ret = add_mention(planner, node->uuid, true, i);
		if (!ret)
			ret = add_mention(planner, node->parent_uuid, false, i);
	}
	if (ret)
		return ret;
	vec_sort(&planner->mentions, compare_mentions);
	vec_for_each(&planner->mentions, mention) {
		if (last && memcmp(last->uuid, mention->uuid, sizeof(last->uuid)) == 0)
			node_at(planner, family_of(planner, mention->node))->up =
				family_of(planner, last->node);
		last = mention;
	}
	return 0;
}

/* The node that has @uuid as its own; NULL: none. */
static struct node *find_owner(const struct planner *planner, const u8 *uuid)
{
	size_t low = 0, high = planner->mentions.nr;
	const struct mention *mention;

	/* The first one that is not less. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		mention = vec_at(&planner->mentions, mid);
		if (memcmp(mention->uuid, uuid, sizeof(mention->uuid)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == planner->mentions.nr)
		return NULL;
	mention = vec_at(&planner->mentions, low);
	if (!mention->is_own || memcmp(mention->uuid, uuid, sizeof(mention->uuid)) != 0)
		return NULL;
	return node_at(planner, mention->node);
}

/* ---- steps ---- */

/* What steps are sorted by. */
struct place {
	u64 ctransid;
	u64 id;
	u32 node;
};

static int compare_places(const void *pa, const void *pb)
{
	const struct place *a = pa, *b = pb;

	if (a->ctransid != b->ctransid)
		return a->ctransid < b->ctransid ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int path_error(u64 id, int err)
{
	if (err != -ENOMEM)
		error("cannot send subvolume %llu: its path cannot be read: %s", id,
		      errno_text(err));
	return err;
}

static int add_step(struct planner *planner, u32 index)
{
	struct btrfs_send_step *step = vec_push(&planner->plan->steps);
	struct node *node = node_at(planner, index);
	char name[BTRFS_NAME_LEN + 1];
	u32 len;
	int ret;

	if (!step)
		return -ENOMEM;
	step->parent_step = BTRFS_SEND_NO_PARENT;
	ret = btrfs_get_fs_root(planner->fs_info, node->id, &step->root);
	if (ret == -ENOENT)
		error("cannot send subvolume %llu: it has no root", node->id);
	if (ret)
		return ret;
	ret = btrfs_send_name(step->root, name, &len);
	if (ret)
		return ret;
	step->name = strdup(name);
	if (!step->name)
		return -ENOMEM;
	ret = btrfs_subvol_path(planner->fs_info, node->id, &step->path);
	if (ret)
		return path_error(node->id, ret);
	node->step = (u32)planner->plan->steps.nr - 1;
	return vec_push_copy(&planner->order, &index);
}

static int make_steps(struct planner *planner)
{
	struct vec places = VEC_INIT(struct place);
	const struct place *place;
	int ret = 0;

	for (u32 i = 0; i < planner->nodes.nr && !ret; i++) {
		const struct node *node = node_at(planner, i);
		struct place here = { node->ctransid, node->id, i };

		if (!node->deleted &&
		    (planner->args->writable || (node->flags & BTRFS_ROOT_SUBVOL_RDONLY)))
			ret = vec_push_copy(&places, &here);
	}
	if (!ret)
		vec_sort(&places, compare_places);
	vec_for_each(&places, place) {
		if (!ret)
			ret = add_step(planner, place->node);
	}
	vec_free(&places);
	return ret;
}

/* ---- who can be a parent ---- */

/* A step by what the receiver knows it by. */
struct identity {
	const u8 *uuid;
	u64 ctransid;
	u32 step;
};

static int compare_identities(const void *pa, const void *pb)
{
	const struct identity *a = pa, *b = pb;
	int cmp = memcmp(a->uuid, b->uuid, BTRFS_UUID_SIZE);

	if (cmp)
		return cmp;
	return a->ctransid < b->ctransid ? -1 : a->ctransid > b->ctransid;
}

/*
 * A receiver looks for the parent by its UUID.  There may be none, or several
 * states of one subvolume may have been received under the same: any of these
 * could be found.
 */
static int find_ambiguous(struct planner *planner)
{
	size_t nr = planner->plan->steps.nr, end;
	struct identity *of = calloc(nr + 1, sizeof(*of));

	if (!of)
		return -ENOMEM;
	for (u32 i = 0; i < nr; i++) {
		const struct btrfs_send_step *step = vec_at(&planner->plan->steps, i);

		of[i] = (struct identity){ btrfs_send_uuid(step->root),
					   node_of_step(planner, i)->ctransid, i };
	}
	qsort(of, nr, sizeof(*of), compare_identities);
	for (size_t i = 0; i < nr; i = end) {
		for (end = i + 1; end < nr; end++)
			if (memcmp(of[i].uuid, of[end].uuid, BTRFS_UUID_SIZE) != 0)
				break;
		/* Several with one state are the same, whichever is found. */
		if (!is_null_uuid(of[i].uuid) && of[i].ctransid == of[end - 1].ctransid)
			continue;
		for (size_t j = i; j < end; j++)
			node_of_step(planner, of[j].step)->ambiguous = true;
	}
	free(of);
	return 0;
}

static bool can_be_parent(const struct node *node, u32 of_step)
{
	return node->step != NO_STEP && node->step < of_step && !node->ambiguous;
}

struct candidates {
	u32 steps[MAX_CANDIDATES];
	u32 nr;
};

static void add_candidate(struct candidates *candidates, u32 step)
{
	for (u32 i = 0; i < candidates->nr; i++)
		if (candidates->steps[i] == step)
			return;
	if (candidates->nr < MAX_CANDIDATES)
		candidates->steps[candidates->nr++] = step;
}

static void add_ancestor(const struct planner *planner, u32 of_step, struct candidates *candidates)
{
	const struct node *node = node_of_step(planner, of_step);

	/* The image may have them in a ring. */
	for (u32 i = 0; node && i < MAX_ANCESTORS; i++) {
		node = find_owner(planner, node->parent_uuid);
		if (node && can_be_parent(node, of_step)) {
			add_candidate(candidates, node->step);
			return;
		}
	}
}

static bool has_uuid(const u8 *uuid, const u8 *other)
{
	return !is_null_uuid(uuid) && memcmp(uuid, other, BTRFS_UUID_SIZE) == 0;
}

static void add_nearest(const struct planner *planner, u32 of_step, struct candidates *candidates)
{
	const struct node *node = node_of_step(planner, of_step);
	u32 family = family_of(planner, *(u32 *)vec_at(&planner->order, of_step));
	u32 nearest[NR_NEAREST], nr_nearest = 0, nr_close = 0;

	for (u32 i = of_step; i-- > 0 && nr_close < NR_NEAREST;) {
		const struct node *other = node_of_step(planner, i);

		if (!can_be_parent(other, of_step) ||
		    family_of(planner, *(u32 *)vec_at(&planner->order, i)) != family)
			continue;
		if (nr_nearest < NR_NEAREST)
			nearest[nr_nearest++] = i;
		if (has_uuid(node->parent_uuid, other->parent_uuid) ||
		    has_uuid(node->uuid, other->parent_uuid)) {
			add_candidate(candidates, i);
			nr_close++;
		}
	}
	for (u32 i = 0; i < nr_nearest; i++)
		add_candidate(candidates, nearest[i]);
}

/* ---- the choice ---- */

/* Count the stream of @step with the parent it has now; -EFBIG when @best is not beaten. */
static int estimate_step(struct planner *planner, struct btrfs_send_step *step, u64 best,
			 u64 *bytes)
{
	struct btrfs_send_args args = planner->args->send;

	btrfs_send_step_args(step, &args);
	return btrfs_send_estimate_up_to(planner->fs_info, &args, best - 1, bytes);
}

static int choose_parent(struct planner *planner, u32 index)
{
	struct btrfs_send_step *step = vec_at(&planner->plan->steps, index);
	struct candidates candidates = { .nr = 0 };
	u32 best_step = BTRFS_SEND_NO_PARENT;
	u64 bytes, best = (u64)-1;

	add_ancestor(planner, index, &candidates);
	add_nearest(planner, index, &candidates);
	/* At last none, which costs little where a parent does well: it is given up early. */
	for (u32 i = 0; i <= candidates.nr; i++) {
		u32 parent = i < candidates.nr ? candidates.steps[i] : BTRFS_SEND_NO_PARENT;
		int ret;

		step->parent = NULL;
		if (parent != BTRFS_SEND_NO_PARENT)
			step->parent = ((struct btrfs_send_step *)
					vec_at(&planner->plan->steps, parent))->root;
		ret = estimate_step(planner, step, best, &bytes);
		if (ret == -EFBIG)
			continue;
		if (ret)
			return ret;
		best = bytes;
		best_step = parent;
	}
	step->parent_step = best_step;
	step->parent = NULL;
	if (best_step != BTRFS_SEND_NO_PARENT)
		step->parent = ((struct btrfs_send_step *)
				vec_at(&planner->plan->steps, best_step))->root;
	step->bytes = best;
	return 0;
}

static int choose_parents(struct planner *planner)
{
	struct btrfs_send_plan *plan = planner->plan;

	progress_set_total(planner->args->progress, plan->steps.nr);
	for (u32 i = 0; i < plan->steps.nr; i++) {
		int ret = choose_parent(planner, i);

		if (ret)
			return ret;
		plan->bytes += ((struct btrfs_send_step *)vec_at(&plan->steps, i))->bytes;
		progress_add(planner->args->progress, 1);
	}
	return 0;
}

int btrfs_send_plan_make(struct btrfs_fs_info *fs_info, const struct btrfs_send_plan_args *args,
			 struct btrfs_send_plan *plan)
{
	struct planner planner = {
		.fs_info = fs_info, .args = args, .plan = plan,
		.nodes = VEC_INIT(struct node),
		.mentions = VEC_INIT(struct mention),
		.order = VEC_INIT(u32),
	};
	int ret;

	*plan = (struct btrfs_send_plan){ .steps = VEC_INIT(struct btrfs_send_step) };
	ret = read_nodes(&planner);
	if (!ret)
		ret = find_families(&planner);
	if (!ret)
		ret = make_steps(&planner);
	if (!ret)
		ret = btrfs_send_plan_names(&plan->steps);
	if (!ret)
		ret = find_ambiguous(&planner);
	if (!ret)
		ret = choose_parents(&planner);
	vec_free(&planner.nodes);
	vec_free(&planner.mentions);
	vec_free(&planner.order);
	return ret;
}

void btrfs_send_plan_free(struct btrfs_send_plan *plan)
{
	struct btrfs_send_step *step;

	vec_for_each(&plan->steps, step) {
		free(step->path);
		free(step->name);
	}
	vec_free(&plan->steps);
}

void btrfs_send_step_args(const struct btrfs_send_step *step, struct btrfs_send_args *send_args)
{
	send_args->root = step->root;
	send_args->parent = step->parent;
	send_args->clone_sources = &step->parent;
	send_args->nr_clone_sources = step->parent ? 1 : 0;
	send_args->name = step->renamed ? step->name : NULL;
}
