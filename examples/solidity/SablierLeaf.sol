// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {MerkleProof} from "./MerkleProof.sol";

/// A leaf of `sablier-evm`: with the recipient's index, hashed twice.
contract SablierLeaf {
    function verify(bytes32 root, uint256 index, address recipient, uint256 amount, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleProof.rootOf(keccak256(bytes.concat(keccak256(abi.encode(index, recipient, amount)))), proof) == root;
    }
}
