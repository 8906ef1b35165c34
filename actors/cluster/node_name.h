/* What a node's name may be. It becomes part of a subject of the bus. */
#ifndef KITH_ACTORS_CLUSTER_NODE_NAME_H
#define KITH_ACTORS_CLUSTER_NODE_NAME_H

#define NODE_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
enum { NODE_BYTES = 64 };

#endif
