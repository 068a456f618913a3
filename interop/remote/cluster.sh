# Lets nodes of RabbitMQ be a cluster; sourced after lib.sh.
node_home=$tmp/home node_epmd=25719
mkdir "$node_home"
head -c 20 /dev/urandom | base64 | tr -dc A-Za-z >"$node_home/.erlang.cookie"
chmod 400 "$node_home/.erlang.cookie"

# All nodes know the first one, which does not wait for others.
node_conf='cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = warren25710@localhost'
