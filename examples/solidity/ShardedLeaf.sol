// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {MerkleProof} from "./MerkleProof.sol";

/// A leaf of `ens-shards` and `thirdweb-shards`; the proof ends with that of its shard.
contract ShardedLeaf {
    function verify(bytes32 root, address account, uint256 amount, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleProof.rootOf(keccak256(abi.encodePacked(account, amount)), proof) == root;
    }
}
